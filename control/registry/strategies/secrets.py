"""Secrets: stringData is for writing only. Pure module."""

from __future__ import annotations

from typing import Any

from holdfast.control.registry.drafts import Situation
from holdfast.control.registry.strategies.generic import Strategy


class SecretStrategy(Strategy):
    """As Kubernetes: what stringData says replaces what data says, and is stored there."""

    def before_create(self, new: Any, situation: Situation) -> None:
        super().before_create(new, situation)
        _fold(new)

    def before_update(self, new: Any, old: Any) -> None:
        super().before_update(new, old)
        _fold(new)


def _fold(new: Any) -> None:
    for key, text in new.stringData.items():
        new.data[key] = text.encode()
    new.ClearField("stringData")
