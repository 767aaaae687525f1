"""Where the members' logs lie: in memory, or in the product's SQLite tables.

A script runs unchanged on each kind. `open` is called when a member is added and again when it is
restarted: it returns the log as it is durable, so that on SQLite a restart reads everything back
from its file. What a crash of the machine leaves of a file is tested on the store itself.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import ConfState, Entry, EntryType, HardState, Snapshot
from holdfast.control.raft.storage import CompactedError, LogStorage, MemoryStorage
from holdfast.control.store import image, records
from holdfast.control.store.replicated import log_rows
from holdfast.control.store.replicated.log_rows import Saving
from holdfast.control.store.replicated.tail import Linked, LogTail


class MemberLog(Protocol):
    """One member's log. What `save` was given is durable when it returns, all of it or nothing."""

    @property
    def reads(self) -> LogStorage:
        """What of it the core reads; the state machine brings the configuration and snapshots."""

    def save(self, state: HardState, entries: Sequence[Entry], snapshot: Snapshot | None) -> None:
        """Write a hard state (all zero: unchanged), and either entries, in place of those at and
        after the first of them, or a snapshot in place of all entries."""

    def compact(self, index: int) -> None:
        """Drop the entries up to and with the index.

        Raises:
            CompactedError: they are gone already.
        """


class Logs(Protocol):
    """The logs of one script's members."""

    def open(self, member: int) -> MemberLog:
        """Return the member's log as it is durable; an empty one the first time."""

    def close(self) -> None:
        """Release all of them."""


class _InMemory:
    """A MemberLog whose durable form is an object."""

    def __init__(self) -> None:
        self.reads = MemoryStorage()
        self.compact = self.reads.compact

    def save(self, state: HardState, entries: Sequence[Entry], snapshot: Snapshot | None) -> None:
        """See MemberLog."""
        if state != HardState():
            self.reads.set_hard_state(state)
        if snapshot is None:
            self.reads.append(entries)
        else:
            self.reads.apply_snapshot(snapshot)


class MemoryLogs:
    """All in memory."""

    def __init__(self) -> None:
        self._logs: dict[int, _InMemory] = {}

    def open(self, member: int) -> MemberLog:
        """See Logs."""
        return self._logs.setdefault(member, _InMemory())

    def close(self) -> None:
        """See Logs."""
        self._logs.clear()


class _InSqlite:
    """A MemberLog in the store's tables, written by the store's statements, read from its tail.

    A snapshot's place in the log is its anchor; the state itself is the harness's.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = log_rows.load(connection)
        for before, one in pairwise(rows):
            index, term, kind, data = one.entry
            if one.crc != records.chain(before.crc, index, term, data, kind):
                raise RaftPanic(f"entry {index} does not follow the one before it")
        state = log_rows.load_hard_state(connection)
        if state is None:
            raise RaftPanic("the hard state is not whole")
        self.reads = LogTail(rows, state, ConfState())

    def save(self, state: HardState, entries: Sequence[Entry], snapshot: Snapshot | None) -> None:
        """See MemberLog."""
        changed = None if state == HardState() else state
        if snapshot is None:
            self._write(Saving(self.reads.link(entries), changed, None, self.reads.anchor))
            return
        anchor = Linked(Entry(snapshot.index, snapshot.term, EntryType.NORMAL, b""), 0)
        kept = self.reads.initial_state()[0]
        with self._connection:
            self._connection.execute("DELETE FROM log")
            log_rows.insert(self._connection, [anchor])
            log_rows.save_hard_state(self._connection, changed or kept)
        self.reads.restart(anchor, changed or kept)

    def compact(self, index: int) -> None:
        """See MemberLog."""
        if index <= self.reads.anchor:
            raise CompactedError
        self._write(Saving((), None, None, index))

    def _write(self, saving: Saving) -> None:
        with self._connection:
            log_rows.save(self._connection, saving)
        if saving.hard_state:
            self.reads.set_hard_state(saving.hard_state)
        self.reads.extend(saving.entries)
        self.reads.rebase(saving.anchor)


class SqliteLogs:
    """A file a member, in a folder of their own that goes with them."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="holdfast-scripts-")
        self._open: dict[int, sqlite3.Connection] = {}

    def open(self, member: int) -> MemberLog:
        """See Logs."""
        path = Path(self._folder.name) / f"{member}.db"
        if member in self._open:
            self._open.pop(member).close()
        else:
            _create(path)
        connection = self._open[member] = _connect(path)
        return _InSqlite(connection)

    def close(self) -> None:
        """See Logs."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()
        self._folder.cleanup()


def _create(path: Path) -> None:
    """Make the tables of an empty log: its anchor stands before the first entry."""
    with closing(_connect(path)) as connection, connection:
        connection.executescript(image.SCHEMA)
        log_rows.insert(connection, [Linked(Entry(), 0)])
        log_rows.save_hard_state(connection, HardState())


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")  # no script cuts the power
    return connection


KINDS: dict[str, Callable[[], Logs]] = {"memory": MemoryLogs, "sqlite": SqliteLogs}
"""The kinds of storage that a run can choose, by name."""
