"""What etcd's events mean: the transaction behind them, as commits of changes.

`parse` looks at all events of one of etcd's revisions; `commits` makes our changes of them. The
replica calls it with its own memory for what was there before, the history with the values that
etcd gives along. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.revisions import Revisions
from holdfast.control.store.etcd.stored.values import Controls, Head, Results

T = TypeVar("T")
Previous = Callable[[Key, etcd.Event], Row | None]
"""What was at a key before an event."""


class ForeignError(Exception):
    """Somebody else wrote below our prefix, or what is there is corrupt: one sentence."""


@dataclass(slots=True)
class Seen:
    """What one of etcd's revisions did to our keys. leader: the event of the leader's key."""

    main: int
    head: Head | None = None
    objects: list[etcd.Event] = field(default_factory=list)
    floor: int | None = None
    leader: etcd.Event | None = None
    controls: Controls | None = None
    results: Results = ()


def parse(layout: Layout, main: int, events: Iterable[etcd.Event]) -> Seen:
    """The events of one revision, told apart. Raises ForeignError."""
    seen = Seen(main)
    for event in events:
        key = event.kv.key
        if key.startswith(layout.objects):
            seen.objects.append(event)
        elif key == layout.leader:
            seen.leader = event
        elif key == layout.cluster:
            continue
        elif event.type == etcd.Event.DELETE:
            raise ForeignError(f"{_shown(key)} was deleted by another program")
        elif key == layout.head:
            seen.head = decoded(values.decode_head, event.kv)
        elif key == layout.controls:
            seen.controls = decoded(values.decode_controls, event.kv)
        elif key == layout.floor:
            seen.floor = decoded(values.decode_floor, event.kv)
        elif key.startswith(layout.results):
            _, seen.results = decoded(values.decode_results, event.kv)
        else:
            raise ForeignError(f"{_shown(key)} is no key of a Holdfast store")
    if len(seen.objects) != sum(seen.head.counts if seen.head else ()):
        key = seen.objects[0].kv.key if seen.objects else layout.head
        raise ForeignError(f"{_shown(key)} was changed by another program")
    return seen


def commits(
    layout: Layout, revisions: Revisions, seen: Seen, previous: Previous
) -> list[list[Change]]:
    """The changes, commit by commit. Raises ForeignError."""
    found: list[list[Change]] = []
    sub = 0
    for count in seen.head.counts if seen.head else ():
        end = revisions.of(seen.main, sub + count - 1)
        events = seen.objects[sub : sub + count]
        found.append(
            [
                _change(layout, event, previous, revisions.of(seen.main, sub + place), end)
                for place, event in enumerate(events)
            ]
        )
        sub += count
    return found


def _change(
    layout: Layout, event: etcd.Event, previous: Previous, revision: int, end: int
) -> Change:
    key = object_key(layout, event.kv.key)
    before = previous(key, event)
    value, created = None, before.created if before else revision
    if event.type == etcd.Event.PUT:
        found = decoded(values.decode_object, event.kv)
        value, created = found.value, found.created or revision
    old, replaced = (before.value, before.revision) if before else (None, 0)
    return Change(revision, key, value, old, created, replaced, end)


def row(layout: Layout, revisions: Revisions, kv: etcd.KeyValue) -> Row:
    """An object as stored. Raises ForeignError."""
    found = decoded(values.decode_object, kv)
    revision = found.revision or revisions.of(kv.mod_revision, found.sub)
    key = object_key(layout, kv.key)
    return Row(key, found.value, revision, found.created or revision)


def carried(layout: Layout, revisions: Revisions) -> Previous:
    """What was before, from the value that etcd gives along with an event (`prev_kv`)."""

    def previous(_: Key, event: etcd.Event) -> Row | None:
        return row(layout, revisions, event.prev_kv) if event.HasField("prev_kv") else None

    return previous


def object_key(layout: Layout, raw: bytes) -> Key:
    """The object at a key. Raises ForeignError."""
    try:
        return layout.object_key(raw)
    except ValueError as error:
        raise ForeignError(f"{_shown(raw)} is no key of a Holdfast store: {error}") from error


def decoded(decode: Callable[[bytes], T], kv: etcd.KeyValue) -> T:
    """The value of a key. Raises ForeignError naming the key."""
    try:
        return decode(kv.value)
    except ValueError as error:
        raise ForeignError(f"{_shown(kv.key)} {error}") from error


def of_revisions(events: Sequence[etcd.Event]) -> list[tuple[int, list[etcd.Event]]]:
    """Events in order, as (revision, its events)."""
    found: list[tuple[int, list[etcd.Event]]] = []
    for event in events:
        main = event.kv.mod_revision
        if not found or found[-1][0] != main:
            found.append((main, []))
        found[-1][1].append(event)
    return found


def _shown(key: bytes) -> str:
    return key.decode(errors="replace").replace("\0", "␀")
