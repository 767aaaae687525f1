"""The CRI log format: `2026-11-21T13:05:23.620535805Z stdout F text`. Pure module.

A long line is split into parts tagged P, the last one F; a part's text is not ended by the
newline of its record. Timestamps are RFC 3339 with nanoseconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Line(NamedTuple):
    """One record. text: with its newline when it ended a line."""

    stamp: bytes
    stream: bytes  # stdout or stderr
    text: bytes


def parse(record: bytes) -> Line | None:
    """One record without its newline; None when it is not in the format."""
    parts = record.split(b" ", 3)
    if len(parts) != 4 or parts[1] not in (b"stdout", b"stderr"):
        return None
    stamp, stream, tags, text = parts
    partial = tags.split(b":")[0] == b"P"
    return Line(stamp, stream, text if partial else text + b"\n")


def seconds(stamp: bytes) -> float:
    """Unix seconds of a timestamp, to the microsecond. Raises ValueError."""
    text = stamp.decode("ascii")
    head, point, rest = text.partition(".")
    if not point:
        return datetime.fromisoformat(text).timestamp()
    zone = rest.lstrip("0123456789")
    digits = rest.removesuffix(zone)
    return datetime.fromisoformat(head + (zone or "Z")).timestamp() + float(f"0.{digits or 0}")
