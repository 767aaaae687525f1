"""What a watch sends: one event, and the record of a change that events are made of.

A record is one change with both states; for a selector it is at most one event (`Selection`).
The encoded WatchEvent is made once and shared by every watcher. Records keep bytes, not decoded
messages: those would be five times as large. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from holdfast.api.codec import with_revision
from holdfast.api.varints import varint
from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import Change, Key

Decode = Callable[[str, bytes], Any]


class Event:
    """One event of a watch. data: the object's stored bytes (of a DELETED: its last state that
    the watch had); a BOOKMARK has none. revision: the change's own."""

    __slots__ = ("_encoded", "created", "data", "key", "revision", "type")

    def __init__(
        self, type_: EventType, revision: int, key: Key | None, data: bytes | None, created: int = 0
    ) -> None:
        self.type = type_
        self.revision = revision
        self.key = key
        self.data = data
        self.created = created
        self._encoded: bytes | None = None

    @property
    def object(self) -> bytes:
        """The object's bytes with the event's revision as its resourceVersion."""
        if self.data is None or self.key is None:
            return b""
        if self.key.resource.startswith("~"):
            return self.data
        return with_revision(self.data, self.revision)

    @property
    def encoded(self) -> bytes:
        """The event as field 1 of a rpc.v1.WatchReply: a reply is these bytes one after the
        other."""
        if self._encoded is None:
            body = bytearray(b"\x08%c\x10" % self.type)
            body += varint(self.revision)
            found = self.object
            if found:
                body += b"\x1a" + varint(len(found)) + found
            self._encoded = b"\x0a" + varint(len(body)) + body
        return self._encoded

    def __repr__(self) -> str:
        return f"{self.type.name} {'/'.join(self.key or ())}@{self.revision}"


def bookmark(revision: int) -> Event:
    """Everything up to this revision has been sent."""
    return Event(EventType.BOOKMARK, revision, None, None)


class Record:
    """One change. old, new: the stored bytes, None = absent; end: its commit's last revision.

    nodes: spec.nodeName before and after, where the publisher knew them (only of pods).
    """

    __slots__ = ("_events", "created", "end", "key", "new", "nodes", "old", "revision", "size")

    def __init__(self, change: Change, nodes: tuple[str, str] | None = None) -> None:
        self.revision, self.key, self.new, self.old, self.created, _, self.end = change
        self.nodes = nodes
        # What it counts for in the ring: both states, and one encoded event.
        self.size = 512 + len(self.old or b"") + 2 * len(self.new or b"")
        self._events: dict[EventType, Event] | None = None

    def event(self, type_: EventType) -> Event:
        """This change as an event of a type; the same object for everybody who asks."""
        if self._events is None:
            self._events = {}
        event = self._events.get(type_)
        if event is None:
            data = self.old if type_ == EventType.DELETED else self.new
            event = Event(type_, self.revision, self.key, data, self.created)
            self._events[type_] = event
        return event


class Batch(NamedTuple):
    """What `Watcher.next` gives. revision: a watch resumed after it misses nothing; 0 while the
    initial state is not whole."""

    events: tuple[Event, ...]
    revision: int
