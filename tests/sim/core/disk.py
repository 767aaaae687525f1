"""A member's disk: the log, the hard state and the image, written in whole transactions.

What a member was told to write and has not yet synced stays in its queue (`member`), so a crash
loses it by dropping the queue. The image is the state at `applied`: as in the product it is
behind memory, rides in a log transaction, and the durable commit is never below it.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.control.raft.messages import ConfState, Entry, HardState, Snapshot
from holdfast.control.raft.storage import MemoryStorage, SnapshotUnavailableError
from holdfast.control.store.commands import Result, Row
from holdfast.control.store.retries import Remembered, Retries
from holdfast.control.store.state import Position, State


class Image(NamedTuple):
    """A state at an index, frozen."""

    applied: int
    conf: ConfState
    rows: tuple[Row, ...]
    retries: tuple[tuple[bytes, Result | None], ...]
    last_retry: int
    revision: int
    floor: int


def freeze(state: State, applied: int, conf: ConfState) -> Image:
    """A copy of a state that later changes do not reach."""
    kept = state.retries
    ids = [*((one, None) for one in kept._spent), *kept._results.items()]
    position = state.position
    return Image(
        applied, conf, tuple(state.all_rows()), tuple(ids), kept.last, position.revision,
        position.floor,
    )  # fmt: skip


def thaw(image: Image) -> State:
    """The state that was frozen."""
    first = image.last_retry - len(image.retries) + 1
    rows = [Remembered(first + at, *one) for at, one in enumerate(image.retries)]
    state = State(Retries(rows, image.last_retry))
    state.load(image.rows)
    state.position = Position(image.revision, image.floor, state.position.checksum)
    return state


class Disk(MemoryStorage):
    """The log of one member, and its image. Everything in it is durable."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng
        self.image = Image(0, ConfState(), (), (), 0, 0, 0)
        self._sendable: Snapshot | None = None

    def initial_state(self) -> tuple[HardState, ConfState]:
        """The configuration is the image's: entries above it are applied again."""
        return super().initial_state()[0], self.image.conf

    def begin(self, index: int, term: int, conf: ConfState) -> None:
        """A group's first state: nothing stored, at an index that no entry holds any more."""
        self.image = self.image._replace(applied=index, conf=conf)
        self.apply_snapshot(Snapshot(index, term, conf, pickle.dumps(self.image)))
        self.set_hard_state(HardState(term, 0, index))

    def snapshot(self) -> Snapshot:
        """The image as a snapshot; it takes a while to be made, so it is refused at first."""
        ready = self._sendable
        if ready is None or ready.index < self.first_index() - 1:
            image = self.image
            data = pickle.dumps(image)
            self._sendable = Snapshot(image.applied, self.term(image.applied), image.conf, data)
            raise SnapshotUnavailableError
        if self._rng.random() < 0.2:
            self._sendable = None
        return ready

    def write(self, hard: HardState | None, entries: Sequence[Entry], image: Image | None) -> None:
        """One transaction: entries, the hard state, and the image if it goes with them."""
        self.append(entries)
        if image is not None and image.applied > self.image.applied:
            self.image = image
        hard = hard or super().initial_state()[0]
        if self.image.applied > hard.commit:
            hard = hard._replace(commit=self.image.applied)
        self.set_hard_state(hard)

    @property
    def commit(self) -> int:
        """The commit index on disk."""
        return super().initial_state()[0].commit

    def term_or_none(self, index: int) -> int:
        """The term at an index that is not compacted; 0 = there is nothing."""
        return self.term(index) if index <= self.last_index() else 0

    def holds(self, entry: Entry) -> bool:
        """It has the entry, or has dropped it because the image contains it."""
        index = entry.index
        return index < self.first_index() or self.term_or_none(index) == entry.term

    def receive(self, snapshot: Snapshot) -> Image:
        """Put a snapshot in place of log and image."""
        self.apply_snapshot(snapshot)
        self._sendable = None
        self.image = pickle.loads(snapshot.data)
        return self.image
