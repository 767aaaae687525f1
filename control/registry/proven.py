"""Pods of one template share one validation.

A controller creates hundreds of pods with the same spec. The first one is defaulted, checked and
remembered by the bytes its spec came with; the others start from what came out. Pure module.
"""

from __future__ import annotations

from collections import OrderedDict

TEMPLATES_MAX = 512
TEMPLATE_BYTES_MAX = 64 << 10


class ProvenTemplates:
    """The specs used last: bytes as sent → the stored Pod's bytes behind its metadata."""

    __slots__ = ("_ready",)

    def __init__(self) -> None:
        self._ready: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, sent: bytes) -> bytes | None:
        """What a pod with this spec becomes, None when it has not been proven."""
        ready = self._ready.get(sent)
        if ready is not None:
            self._ready.move_to_end(sent)
        return ready

    def put(self, sent: bytes, ready: bytes) -> None:
        """Remember a spec that passed every check."""
        if len(sent) > TEMPLATE_BYTES_MAX:
            return
        self._ready[sent] = ready
        if len(self._ready) > TEMPLATES_MAX:
            self._ready.popitem(last=False)
