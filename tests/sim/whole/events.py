"""What must happen in a campaign of the whole tier."""

from __future__ import annotations

MUST_HAPPEN: tuple[str, ...] = ("leader elected",)
