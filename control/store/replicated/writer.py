"""The writer of the log: one transaction a batch, with the rows of what was applied before it.

The driver's task `write` is the only caller. After the transaction, and not before, the log in
memory shows what is durable, and what the transaction dropped from disk is dropped from memory.
How much of the log stays for peers that are behind is decided here (`Keep`): nobody gets entries
that are gone, they get a snapshot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from holdfast.control.raft.messages import HardState, Snapshot
from holdfast.control.raft.shell.seams import Batch, LogFullError
from holdfast.control.store.behind import Behind
from holdfast.control.store.engine import DiskFullError
from holdfast.control.store.replicated import log_rows
from holdfast.control.store.replicated.log_rows import Saving
from holdfast.control.store.replicated.opening import Opened
from holdfast.control.store.replicated.tail import Linked

_value = attrgetter("value")
Install = Callable[[Snapshot, HardState], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Keep:
    """Entries that stay behind the durable image: so many, more for peers that still need them,
    but never more than `most` entries or `bytes` of data."""

    entries: int = 1_000
    most: int = 20_000
    bytes: int = 64 << 20


class Needs(NamedTuple):
    """Who reads the log behind which index. core: what it knows as applied; peers: what the one
    furthest behind has, None = there are none."""

    core: int
    peers: int | None


class StoreWriter:
    """A LogWriter on an open store. wrote: told the bytes of each transaction's rows; switched:
    told that a snapshot took the image's place; needs: what the core and the peers still read of
    the log; install: puts a received snapshot in the place of everything."""

    def __init__(
        self, store: Opened, keep: Keep, wrote: Callable[[int], None], switched: Callable[[], None],
        needs: Callable[[], Needs], install: Install,
    ) -> None:  # fmt: skip
        self._store = store
        self._keep = keep
        self._wrote = wrote
        self._switched = switched
        self._needs = needs
        self._install = install
        self._hard_state = store.log.initial_state()[0]

    @property
    def lagging(self) -> bool:
        """See LogWriter."""
        return self._store.behind.unsaved() is not None

    async def write(self, batch: Batch) -> None:
        """See LogWriter."""
        if batch.snapshot:
            await self._switch(batch.snapshot, batch.hard_state or self._hard_state)
        store = self._store
        behind = store.behind.unsaved()
        linked = store.log.link(batch.entries)
        state = self._state(batch, behind)
        if not linked and behind is None and state == self._hard_state:
            return
        applied = behind.meta.applied if behind else store.behind.image.applied
        anchor = self._anchor(applied)
        saving = Saving(
            linked,
            state if state != self._hard_state else None,
            behind,
            anchor if anchor > store.log.anchor else None,
        )
        try:
            await store.writer.transact(log_rows.save, saving)
        except DiskFullError as error:
            raise LogFullError(str(error)) from error
        self._hard_state = state
        store.log.set_hard_state(state)
        store.log.extend(linked)
        if behind:
            store.behind.saved(behind)
        store.log.rebase(anchor)
        self._wrote(_bytes(linked, behind))

    async def _switch(self, snapshot: Snapshot, state: HardState) -> None:
        """What was behind goes with the image that it was behind of."""
        try:
            await self._install(snapshot, state)
        except DiskFullError as error:
            raise LogFullError(str(error)) from error
        self._hard_state = self._store.log.initial_state()[0]
        self._switched()

    def _state(self, batch: Batch, behind: Behind | None) -> HardState:
        """The hard state to be durable: its commit is never below what the image has applied."""
        state = batch.hard_state or self._hard_state
        applied = behind.meta.applied if behind else 0
        return state._replace(commit=max(state.commit, applied))

    def _anchor(self, applied: int) -> int:
        """Up to where the log may go once this much is durable in the image."""
        log, keep, needs = self._store.log, self._keep, self._needs()
        ceiling = max(log.anchor, min(applied, needs.core, log.last_index()))
        if needs.peers is None:
            return ceiling
        wanted = max(min(applied - keep.entries, needs.peers), applied - keep.most)
        return min(log.anchor_within(wanted, keep.bytes), ceiling)


def _bytes(linked: list[Linked], behind: Behind | None) -> int:
    changes = behind.changes if behind else ()
    rows = 128 * len(changes) + sum(map(len, filter(None, map(_value, changes))))
    return rows + sum(len(one.entry.data) for one in linked)
