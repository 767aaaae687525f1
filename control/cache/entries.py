"""One cached object, and one change of it as in-process listeners see it.

Nobody changes a message that came out of the cache: CopyFrom first. Pure module.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from holdfast.api.codec import with_revision
from holdfast.control.cache.indexes import OWNER_AT
from holdfast.control.store.commands import Key


class EventType(IntEnum):
    """What happened to an object; the numbers are those of rpc.v1.EventType."""

    ADDED = 1
    MODIFIED = 2
    DELETED = 3
    BOOKMARK = 4


class Entry:
    """An object at one revision.

    message: decoded, None for the control node's own rows ("~…"), which only they can read.
    data: the stored bytes, without resourceVersion. indexed: its values in `indexes`, in order.
    """

    __slots__ = ("created", "data", "indexed", "key", "message", "revision")

    def __init__(self, key: Key, revision: int, created: int, message: Any, data: bytes) -> None:
        self.key = key
        self.revision = revision
        self.created = created
        self.message = message
        self.data = data
        self.indexed: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """The uid of the owner that controls it, "" when nobody does."""
        return self.indexed[OWNER_AT]

    @property
    def wire(self) -> bytes:
        """The bytes with metadata.resourceVersion. Joined at each call: 0.5 µs is cheaper than
        a second copy of every object."""
        return self.data if self.message is None else with_revision(self.data, self.revision)

    def __repr__(self) -> str:
        return f"Entry({'/'.join(self.key)}@{self.revision})"


class Update(NamedTuple):
    """One change: ADDED has no old entry, DELETED no new one. revision: the change's own."""

    type: EventType
    old: Entry | None
    new: Entry | None
    revision: int
