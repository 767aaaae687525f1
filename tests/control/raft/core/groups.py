"""A group of real nodes in memory, with links that tests cut, for the tables of this folder.

Synchronous mode: a node's round is written, sent and applied before the next. `run()` goes on until
nothing moves; `round_of(id)` does one round of one node and returns what it sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from holdfast.control.raft.core.config import Config
from holdfast.control.raft.messages import (
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    Snapshot,
    decode_conf_change,
)
from holdfast.control.raft.node import RawNode, ReadState, Role, StepPeerNotFoundError
from holdfast.control.raft.storage import MemoryStorage

ROUNDS_MAX = 10_000
SETTINGS = {"election_tick": 10, "heartbeat_tick": 1}


class LatestStorage(MemoryStorage):
    """A log whose snapshot is always that of the last applied entry."""

    __slots__ = ("latest",)

    def __init__(self, base: Snapshot) -> None:
        super().__init__()
        self.latest = base
        if base.index:
            self.apply_snapshot(base)

    def snapshot(self) -> Snapshot:
        """What a new member is sent."""
        return self.latest


def told(node: RawNode) -> object:
    """All that a status says, as something to compare."""
    status = node.status()
    progress = {
        member: (each.state, each.match, each.next, each.is_paused(), each.recent_active)
        for member, each in status.progress.items()
    }
    return (*status[:6], progress)


def storage_with(
    conf: ConfState, terms: Iterable[int] = (), hard_state: HardState | None = None
) -> MemoryStorage:
    """A log whose entry i+1 has terms[i], in the configuration `conf`."""
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(conf_state=conf))
    storage.append([Entry(i, term, data=b"%d" % i) for i, term in enumerate(terms, 1)])
    if hard_state is not None:
        storage.set_hard_state(hard_state)
    return storage


def node_with(storage: MemoryStorage, id: int = 1, **settings: Any) -> RawNode:  # noqa: A002
    """One node over `storage`; its election timeout is the shortest plus its id."""
    chosen = {**SETTINGS, "randomness": lambda n: id % n, **settings}
    return RawNode(Config(id=id, storage=storage, **chosen))


def perform(node: RawNode, storage: MemoryStorage) -> tuple[list[Message], list[Entry]]:
    """One round; what is to be sent and what was applied."""
    ready = node.ready()
    if ready.hard_state is not None:
        storage.set_hard_state(ready.hard_state)
    if ready.snapshot is not None:
        storage.apply_snapshot(ready.snapshot)
    storage.append(ready.entries)
    for entry in ready.committed_entries:
        change = decode_conf_change(entry)
        conf = node.raft.tracker.conf_state()
        if change is not None:
            conf = node.apply_conf_change(change)
        if isinstance(storage, LatestStorage):
            storage.latest = Snapshot(entry.index, entry.term, conf, b"latest")
    node.advance()
    return list(ready.messages), list(ready.committed_entries)


class Group:
    """Nodes 1 .. n, the messages between them, and what each has applied."""

    def __init__(
        self,
        size: int = 3,
        *,
        learners: Sequence[int] = (),
        logs: dict[int, Sequence[int]] | None = None,
        base: int = 0,
        **settings: Any,
    ) -> None:
        """Start members 1 .. size.

        Args:
            size: how many.
            learners: which of them do not vote.
            logs: terms of the entries that a member begins with.
            base: where not 0, logs begin after this index, and new members can be brought in by
                a snapshot, since no log tells how the group began.
            settings: of every node's Config.
        """
        ids = range(1, size + 1)
        self.conf = ConfState(tuple(i for i in ids if i not in learners), tuple(learners))
        self.settings = settings
        self.storages: dict[int, MemoryStorage] = {}
        self.nodes: dict[int, RawNode] = {}
        self.applied: dict[int, list[Entry]] = {}
        self.reads: dict[int, list[ReadState]] = {}
        self.cut: list[tuple[int, int]] = []  # links (from, to) that lose everything
        self.lose: Callable[[Message], bool] = lambda _message: False
        self.sent: list[Message] = []  # everything, in order, lost ones too
        for member in ids:
            terms = (logs or {}).get(member, ())
            hard_state = HardState(term=max(terms)) if terms else None
            if base:
                storage: MemoryStorage = LatestStorage(Snapshot(base, 1, self.conf))
            else:
                storage = storage_with(self.conf, terms, hard_state)
            self.join(member, storage, applied=base)

    def join(self, member: int, storage: MemoryStorage, **settings: Any) -> RawNode:
        """Start (or restart) a member over `storage`."""
        self.storages[member] = storage
        self.applied.setdefault(member, [])
        self.reads.setdefault(member, [])
        self.nodes[member] = node_with(storage, member, **{**self.settings, **settings})
        return self.nodes[member]

    def join_empty(self, member: int) -> RawNode:
        """Start a new member that knows nothing."""
        return self.join(member, LatestStorage(Snapshot()))

    def isolate(self, *members: int) -> None:
        """Cut all links of `members`, also those among themselves."""
        for member in members:
            self.cut += [
                pair for other in self.nodes for pair in ((member, other), (other, member))
            ]

    def heal(self) -> None:
        """All links work."""
        self.cut = []
        self.lose = lambda _message: False

    def round_of(self, member: int) -> list[Message]:
        """One round of one node; its messages are returned and not delivered."""
        node = self.nodes[member]
        self.reads[member] += node.raft.read_states
        messages, applied = perform(node, self.storages[member])
        self.applied[member] += applied
        self.sent += messages
        return messages

    def deliver(self, messages: Iterable[Message]) -> None:
        """Step what is not lost."""
        for message in messages:
            if (message.sender, message.to) in self.cut or self.lose(message):
                continue
            if message.to in self.nodes:
                with suppress(StepPeerNotFoundError):  # of a former member
                    self.nodes[message.to].step(message)

    def run(self) -> Group:
        """Until nothing moves."""
        for _ in range(ROUNDS_MAX):
            busy = [member for member, node in self.nodes.items() if node.has_ready()]
            if not busy:
                return self
            for member in busy:
                self.deliver(self.round_of(member))
        raise AssertionError("the group does not come to rest")

    def elect(self, member: int = 1) -> Group:
        """Let `member` stand, and run."""
        self.nodes[member].campaign()
        self.run()
        return self

    def propose(self, member: int, *data: bytes) -> Group:
        """Propose at `member`, and run."""
        for each in data:
            self.nodes[member].propose(each)
        self.run()
        return self

    def tick(self, member: int, times: int = 1) -> Group:
        """Tick one member, and run after each."""
        for _ in range(times):
            self.nodes[member].tick()
            self.run()
        return self

    def role(self, member: int) -> Role:
        """What a member is."""
        return self.nodes[member].raft.role

    def log(self, member: int) -> list[tuple[int, int]]:
        """(index, term) of a member's entries."""
        log = self.nodes[member].raft.log
        return [(i, log.term(i) or 0) for i in range(log.first_index(), log.last_index() + 1)]

    def data(self, member: int) -> list[bytes]:
        """The data of normal entries that a member has applied."""
        return [e.data for e in self.applied[member] if e.type == EntryType.NORMAL and e.data]

    def of_type(self, kind: MessageType) -> list[Message]:
        """All messages of a type sent so far."""
        return [message for message in self.sent if message.type is kind]
