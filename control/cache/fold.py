"""Events gathered for one batch, each as it is or (latest_only) one an object.

Coalescing keeps what the watch had before the first event and what it shall have after the last:
ADDED then MODIFIED is ADDED with the newest state, ADDED then DELETED is nothing, DELETED then
ADDED of the same object (it left the selector and came back) is MODIFIED. An object deleted and
created again is another object: both events stay. Pure module.
"""

from __future__ import annotations

from holdfast.control.cache.entries import EventType
from holdfast.control.cache.events import Event, Record
from holdfast.control.store.commands import Key

EVENTS_MAX = 500
BYTES_MAX = 1 << 20

_ADDED, _MODIFIED, _DELETED = EventType.ADDED, EventType.MODIFIED, EventType.DELETED


class Fold:
    """One batch in the making."""

    def __init__(self, latest_only: bool) -> None:
        self._latest_only = latest_only
        self._events: dict[object, Event] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def full(self) -> bool:
        """No further commit should be added."""
        return len(self._events) >= EVENTS_MAX or self._bytes >= BYTES_MAX

    def events(self) -> tuple[Event, ...]:
        """What was gathered, in the order of revisions."""
        return tuple(self._events.values())

    def add(self, event: Event, record: Record) -> None:
        """The next event, made of this record."""
        if not self._latest_only:
            self._events[len(self._events)] = event
            self._bytes += len(event.data or b"")
            return
        name: tuple[Key, int] = (record.key, record.created)
        before = self._events.pop(name, None)
        if before is not None:
            self._bytes -= len(before.data or b"")
            merged = _merged(before.type, event.type)
            if merged is None:
                return
            event = record.event(merged)
        self._events[name] = event
        self._bytes += len(event.data or b"")


def _merged(before: EventType, after: EventType) -> EventType | None:
    """What two events of one object are together; None = nothing."""
    if before == _ADDED:
        return None if after == _DELETED else _ADDED
    if before == _DELETED:
        return _MODIFIED  # it can only have come back
    return after
