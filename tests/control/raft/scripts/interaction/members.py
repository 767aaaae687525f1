"""One member of a script: its core, its log, and a state machine that appends what it is told.

The state machine keeps an image of each state it was in, so a snapshot can be had at the latest,
and a restart can begin at any. The log and the images are durable; all else is lost by a crash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from holdfast.control.raft.core.config import Config
from holdfast.control.raft.errors import SnapshotUnavailableError
from holdfast.control.raft.messages import (
    ConfState,
    Entry,
    HardState,
    Message,
    Snapshot,
    decode_conf_change,
)
from holdfast.control.raft.node import RawNode
from tests.control.raft.scripts.datadriven import ScriptError
from tests.control.raft.scripts.interaction.logs import MemberLog


class HarnessError(Exception):
    """A command cannot be performed; the message is part of the script's output."""


class Images:
    """The states of the state machine, oldest first; the last is in force."""

    def __init__(self, first: Snapshot) -> None:
        self._images = [first]
        self.available = True

    @property
    def latest(self) -> Snapshot:
        """The state in force."""
        return self._images[-1]

    def add(self, image: Snapshot) -> None:
        """Take a newer state."""
        self._images.append(image)

    def go_back(self, index: int) -> None:
        """Forget the states above an index.

        Raises:
            ScriptError: there is no state at or below it.
        """
        kept = [image for image in self._images if image.index <= index]
        if not kept:
            raise ScriptError(f"there is no state at or below index {index} to restart from")
        self._images = kept


class CoreLog:
    """What the core reads: entries from the log, configuration and snapshots from the state
    machine."""

    def __init__(self, log: MemberLog, images: Images) -> None:
        self._images = images
        self._reads = log.reads
        self.entries = log.reads.entries
        self.term = log.reads.term
        self.first_index = log.reads.first_index
        self.last_index = log.reads.last_index

    def initial_state(self) -> tuple[HardState, ConfState]:
        """See LogStorage: the configuration is that of the state in force."""
        return self._reads.initial_state()[0], self._images.latest.conf_state

    def snapshot(self) -> Snapshot:
        """See LogStorage: the state in force, unless the script withholds it."""
        if not self._images.available:
            raise SnapshotUnavailableError
        return self._images.latest


class Member:
    """A running or crashed member."""

    def __init__(
        self, number: int, settings: Callable[..., Config], log: MemberLog, first: Snapshot
    ) -> None:
        """Start a member.

        Args:
            number: its id.
            settings: makes its core's configuration from id, storage and applied.
            log: its log, which holds `first` if that is not empty.
            first: the state it begins with.
        """
        self.number = number
        self.log = log
        self.images = Images(first)
        self.append_work: deque[Message] = deque()
        self.apply_work: deque[Message] = deque()
        self.crashed = False
        self._settings = settings
        self.node = self._start()

    @property
    def asynchronous(self) -> bool:
        """Whether storage is written by messages."""
        return self.config.async_storage_writes

    def _start(self) -> RawNode:
        self.config = self._settings(
            id=self.number,
            storage=CoreLog(self.log, self.images),
            applied=self.images.latest.index,
        )
        return RawNode(self.config)

    def set_election_timeout(self, ticks: int) -> None:
        """Put the script's choice in place of the random one, until the next change of role."""
        self.node.raft.randomized_election_timeout = ticks

    def crash(self) -> None:
        """Lose all that is not durable."""
        self.append_work.clear()
        self.apply_work.clear()
        self.crashed = True

    def restart(self, log: MemberLog, applied: int | None) -> None:
        """Start again from what is durable.

        Args:
            log: the log, opened anew.
            applied: the index of the state to start from; None for the latest that the durable
                commit index covers (a state machine is never ahead of it).
        """
        self.log = log
        commit = log.reads.initial_state()[0].commit
        floor = log.reads.first_index() - 1
        self.images.go_back(max(commit, floor) if applied is None else applied)
        self.node = self._start()
        self.crashed = False

    def persist(
        self, state: HardState, entries: Sequence[Entry], snapshot: Snapshot | None
    ) -> None:
        """Write to the log what one round says.

        Raises:
            HarnessError: the round holds both a snapshot and entries.
        """
        if snapshot is None or not snapshot.index:
            self.log.save(state, entries, None)
            return
        if entries:
            raise HarnessError("can't apply snapshot and entries at the same time")
        self.log.save(state, (), snapshot)
        self.images.add(snapshot)

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply committed entries to the configuration and the state machine."""
        for entry in entries:
            before = self.images.latest
            conf_state = before.conf_state
            update = entry.data
            change = decode_conf_change(entry)
            if change is not None:
                conf_state = self.node.apply_conf_change(change)
                update = change.context
            self.images.add(Snapshot(entry.index, entry.term, conf_state, before.data + update))
