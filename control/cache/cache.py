"""The current objects, decoded, in memory: what every reader of the control node reads.

It listens to the engine, so it is level with the state whenever a commit returns; listeners of
its own (`subscribe`) are called inside the same commit. Nothing here awaits. With `verify` it
remembers how each message looked, and `verify()` fails when somebody changed one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from google.protobuf.message import Message

from holdfast.api.errors import ApiError
from holdfast.api.kinds import by_resource
from holdfast.control.cache.entries import Entry, EventType, Update
from holdfast.control.cache.replacement import Replacement
from holdfast.control.cache.tables import Table
from holdfast.control.store.commands import Change, Key, Row, new_tuple
from holdfast.control.store.engine import Engine

MessageType = Callable[[str], type[Message] | None]
Callback = Callable[[list[Update]], None]
"""Called inside a commit with its changes of one resource. Must not await or raise."""
Follower = Callable[[Sequence[Change], list[Update]], None]
"""Called inside every commit with all of it, one update a change. Must not await or raise."""


def type_of_kind(resource: str) -> type[Message] | None:
    """The message of a resource in the table of kinds; None for our own rows ("~…")."""
    if resource.startswith("~"):
        return None
    try:
        return by_resource(resource).message
    except ApiError:
        return None  # stored by a program that knew more kinds: kept as bytes


class Cache:
    """All objects by resource. Make it before the engine starts: it is filled by the start.

    changes: how many objects were written or deleted so far; what is loaded counts once.
    """

    def __init__(
        self, engine: Engine, message_type: MessageType = type_of_kind, *, verify: bool = False
    ) -> None:
        self.engine = engine
        self.changes = 0
        self._message_type = message_type
        self._types: dict[str, type[Message] | None] = {}
        self._tables: dict[str, Table] = {}
        self._callbacks: dict[str, list[Callback]] = {}
        self._followers: list[Follower] = []
        self._prints: dict[Key, bytes] | None = {} if verify else None
        self._resets: list[Callable[[], None]] = []
        self._expected: dict[int, tuple[bytes, Message]] = {}  # by the identity of the bytes
        engine.listen(self._changed)
        engine.on_reset(self._reset)

    @property
    def revision(self) -> int:
        """Everything up to this revision is in the cache."""
        return self.engine.revision

    def get(self, resource: str, namespace: str, name: str) -> Entry | None:
        """One object."""
        table = self._tables.get(resource)
        return table.get(namespace, name) if table else None

    def list(
        self, resource: str, namespace: str = "", *, after: Key | None = None, limit: int = 0
    ) -> list[Entry]:
        """Objects ordered by (namespace, name); namespace "" = all. after, limit: one page
        (0 = no limit)."""
        table = self._tables.get(resource)
        if table is None:
            return []
        entries = table.entries(namespace, after)
        return [*islice(entries, limit)] if limit else [*entries]

    def count(self, resource: str, namespace: str = "") -> int:
        """How many `list` would give."""
        table = self._tables.get(resource)
        return table.count(namespace) if table else 0

    def resources(self) -> Sequence[str]:
        """Every resource that has objects or had some since the start, in order; our own rows
        too."""
        return sorted(self._tables)

    def by_index(self, resource: str, index: str, value: str) -> Sequence[Entry]:
        """Objects by an index of `indexes` (or "namespace"), in the order they got the value.

        Raises KeyError for an index the resource does not have.
        """
        if index == "namespace":
            return self.list(resource, value)
        table = self._tables.get(resource) or Table(resource)
        return table.by_index(index, value)

    def subscribe(self, resource: str, callback: Callback) -> Callable[[], None]:
        """Call back for every commit that changes the resource, until the function returned is
        called. What is there already is not told: list it after subscribing.

        A snapshot that takes the place of everything is told as one commit of what it changed.
        """
        # A new list each time: one of these may be called while another is being told.
        self._callbacks[resource] = [*self._callbacks.get(resource, ()), callback]

        def end() -> None:
            left = [one for one in self._callbacks.get(resource, ()) if one is not callback]
            self._callbacks[resource] = left

        return end

    def on_reset(self, callback: Callable[[], None]) -> None:
        """Call back when a snapshot took the place of everything: followers were not told what
        happened in between. Must not await or raise."""
        self._resets.append(callback)

    def follow(self, follower: Follower) -> None:
        """Call back for every commit, with all of it; our own rows too."""
        self._followers.append(follower)

    def decode(self, resource: str, data: bytes) -> Message | None:
        """Stored bytes as their message, None when the resource has none."""
        try:
            message_type = self._types[resource]
        except KeyError:
            message_type = self._types[resource] = self._message_type(resource)
        return message_type.FromString(data) if message_type else None

    def expect(self, data: bytes, message: Message) -> None:
        """These very bytes are about to be stored, and are those of this message, which nobody else
        keeps: it need not be read from them again. Say when that is over (`expect_no_more`)."""
        self._expected[id(data)] = (data, message)

    def expect_no_more(self, data: bytes) -> None:
        """The write of these bytes is answered, whatever came of it."""
        self._expected.pop(id(data), None)

    def verify(self) -> None:
        """Raise AssertionError when a message was changed since it was decoded."""
        assert self._prints is not None, "make the cache with verify=True"
        for key, before in self._prints.items():
            entry = self.get(*key)
            assert entry is not None
            now = entry.message.SerializeToString(deterministic=True)
            assert now == before, (
                f"somebody changed {entry}: copy a message of the cache before changing it, "
                "and read its maps with .get"
            )

    def _changed(self, changes: Sequence[Change]) -> None:
        self.changes += len(changes)
        updates = [self._update(change) for change in changes]
        for follower in self._followers:
            follower(changes, updates)
        told: dict[str, list[Update]] = {}
        for change, update in zip(changes, updates, strict=True):
            if change.key.resource in self._callbacks:
                told.setdefault(change.key.resource, []).append(update)
        for resource, found in told.items():
            for callback in self._callbacks[resource]:
                callback(found)

    async def _reset(self, rows: Sequence[Row]) -> Callable[[], None]:
        """See engine.Reset."""
        made = Replacement(self._tables, self.decode)
        await made.build(rows, self.revision)

        def switch() -> None:
            self._tables = made.tables
            for resource, updates in made.updates.items():
                self.changes += len(updates)
                self._note_prints(updates)
                for callback in self._callbacks.get(resource, ()):
                    callback(updates)
            for reset in self._resets:
                reset()

        return switch

    def _note_prints(self, updates: Sequence[Update]) -> None:
        if self._prints is None:
            return
        for update in updates:
            if update.old is not None:
                self._prints.pop(update.old.key, None)
            if update.new is not None and update.new.message is not None:
                message = update.new.message
                self._prints[update.new.key] = message.SerializeToString(deterministic=True)

    def _update(self, change: Change) -> Update:
        revision, key, value, _, created, _, _ = change
        table = self._tables.get(key.resource)
        if table is None:
            table = self._tables[key.resource] = Table(key.resource)
        if value is None:
            if self._prints:
                self._prints.pop(key, None)
            gone: Update = new_tuple(Update, (EventType.DELETED, table.remove(key), None, revision))
            return gone
        message = self._message(key.resource, value)
        entry = Entry(key, revision, created, message, value)
        old = table.put(entry)
        if self._prints is not None and message is not None:
            self._prints[key] = message.SerializeToString(deterministic=True)
        type_ = EventType.MODIFIED if old else EventType.ADDED
        made: Update = new_tuple(Update, (type_, old, entry, revision))
        return made

    def _message(self, resource: str, data: bytes) -> Message | None:
        expected = self._expected.pop(id(data), None)
        if expected is None:
            return self.decode(resource, data)
        message = expected[1]
        if self._prints is not None:
            assert message.SerializeToString(deterministic=True) == data, "not of these bytes"
        return message
