"""Five nodes under a random schedule: the small twin of tests/sim, for hypothesis.

Asynchronous storage. Messages are delivered in any order, twice or never; a crash loses what was
not written. What a member applies is durable together with the configuration there, as the
product's storage keeps it. Checked at once: one leader a term, a leader has all that is committed,
equal entries at equal indexes. `check_logs` compares whole logs.
"""

from __future__ import annotations

import random
from contextlib import suppress

from holdfast.control.raft.core.raft import Raft
from holdfast.control.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
    ConfState,
    Entry,
    HardState,
    Message,
    Snapshot,
    decode_conf_change,
)
from holdfast.control.raft.node import RawNode, Role, StepError
from holdfast.control.raft.progress import ProgressState
from tests.control.raft.core.groups import LatestStorage, node_with

MEMBERS = (1, 2, 3, 4, 5)
FIRST = ConfState((1, 2, 3))
BASE = 5


class Disk(LatestStorage):
    """What survives a crash; `latest` is the applied state with its configuration."""

    __slots__ = ()

    def initial_state(self) -> tuple[HardState, ConfState]:
        state, _ = super().initial_state()
        return state._replace(commit=max(state.commit, self.latest.index)), self.latest.conf_state


class Member:
    """A node, its disk and the orders its disk and state machine have not done yet."""

    def __init__(self, member: int, rng: random.Random, flags: dict[str, bool]) -> None:
        self.id, self._rng = member, rng
        self.disk = Disk(Snapshot(BASE, 1, FIRST) if member in FIRST.voters else Snapshot())
        self._flags = flags
        self.node = self._start()

    def _start(self) -> RawNode:
        self.appends: list[Message] = []
        self.applies: list[Message] = []
        return node_with(
            self.disk,
            self.id,
            randomness=self._rng.randrange,
            election_tick=5,
            applied=self.disk.latest.index,
            async_storage_writes=True,
            step_down_on_removal=True,
            max_size_per_msg=self._rng.choice((0, 40, 1000)),
            max_committed_size_per_ready=self._rng.choice((1, 60, 1000)),
            max_inflight_msgs=self._rng.choice((1, 4)),
            **self._flags,
        )

    def crash(self) -> None:
        """Lose what was not written, and start again."""
        self.node = self._start()

    def write(self) -> list[Message]:
        """Do the oldest order to the log; its answers."""
        order = self.appends.pop(0)
        if order.term:
            self.disk.set_hard_state(HardState(order.term, order.vote, order.commit))
        if order.snapshot is not None:
            self.disk.apply_snapshot(order.snapshot)
            self.disk.latest = order.snapshot
        self.disk.append(order.entries)
        return list(order.responses)

    def apply(self) -> tuple[list[Entry], list[Message]]:
        """Do the oldest order to the state machine; the entries and its answers."""
        order = self.applies.pop(0)
        done = []
        for entry in order.entries:
            if entry.index <= max(self.node.apply_floor(), self.disk.latest.index):
                continue
            done.append(entry)
            change = decode_conf_change(entry)
            conf = self.disk.latest.conf_state
            if change is not None:
                conf = self.node.apply_conf_change(change)
            self.disk.latest = Snapshot(entry.index, entry.term, conf)
        return done, list(order.responses)


class Chaos:
    """The members, the network, and what is known to be committed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        flags = {name: self.rng.random() < 0.7 for name in ("pre_vote", "check_quorum")}
        self.members = {member: Member(member, self.rng, flags) for member in MEMBERS}
        self.network: list[Message] = []
        self.leaders: dict[int, int] = {}
        self.committed: dict[int, Entry] = {}
        self.proposed = 0

    def step(self) -> None:
        """One random event."""
        (event,) = self.rng.choices(
            (self._tick, self._deliver, self._lose, self._repeat, self._write, self._apply,
             self._propose, self._change, self._crash, self._compact, self._report),
            (10, 70, 4, 3, 30, 20, 8, 1, 0.7, 2, 1),
        )  # fmt: skip
        event(self.members[self.rng.choice(MEMBERS)])

    def settle(self, ticks: int) -> None:
        """No more faults: everything is delivered, written and applied, and time passes."""
        for _ in range(ticks):
            for member in self.members.values():
                self._end_transfers(member)
                # Former members are shut down: without pre-vote they unseat leaders for ever.
                if member.id in self._newest().tracker.progress:
                    self._tick(member)
            while self.network or any(m.appends or m.applies for m in self.members.values()):
                waiting, self.network = self.network, []
                for message in waiting:
                    self._hand_over(message)
                for member in self.members.values():
                    while member.appends:
                        self._write(member)
                    while member.applies:
                        self._apply(member)

    def _end_transfers(self, member: Member) -> None:
        """A sender always learns how a snapshot's transfer ended; lost ones failed."""
        for other, progress in member.node.status().progress.items():
            if progress.state is ProgressState.SNAPSHOT:
                member.node.report_snapshot(other, ok=False)

    def leader(self) -> Member | None:
        """Who leads the newest term."""
        leaders = [m for m in self.members.values() if m.node.raft.role is Role.LEADER]
        return max(leaders, key=lambda m: m.node.raft.term, default=None)

    def _take(self, member: Member) -> None:
        raft = member.node.raft
        if raft.role is Role.LEADER:
            self._check_leader(member)
        while member.node.has_ready():
            for message in member.node.ready().messages:
                if message.to == LOCAL_APPEND:
                    member.appends.append(message)
                elif message.to == LOCAL_APPLY:
                    member.applies.append(message)
                else:
                    self.network.append(message)

    def _check_leader(self, member: Member) -> None:
        raft = member.node.raft
        known = self.leaders.setdefault(raft.term, member.id)
        assert known == member.id, f"term {raft.term} is led by {known} and {member.id}"
        for index in range(raft.log.first_index(), max(self.committed, default=0) + 1):
            if raft.term >= max(self.leaders):
                assert raft.log.term(index) == self.committed[index].term, "committed entry lost"

    def _tick(self, member: Member) -> None:
        member.node.tick()
        self._take(member)

    def _pick(self) -> Message | None:
        if not self.network:
            return None
        # Mostly in order: a wholly random one lets little happen.
        position = 0 if self.rng.random() < 0.7 else self.rng.randrange(len(self.network))
        return self.network.pop(position)

    def _hand_over(self, message: Message) -> None:
        member = self.members[message.to]
        with suppress(StepError):
            member.node.step(message)
        self._take(member)

    def _deliver(self, _member: Member) -> None:
        message = self._pick()
        if message is not None:
            self._hand_over(message)

    def _lose(self, _member: Member) -> None:
        self._pick()

    def _repeat(self, _member: Member) -> None:
        message = self._pick()
        if message is not None:
            self.network.append(message)
            self._hand_over(message)

    def _answer(self, member: Member, responses: list[Message]) -> None:
        for message in responses:
            if message.to == member.id:
                with suppress(StepError):
                    member.node.step(message)
            else:
                self.network.append(message)
        self._take(member)

    def _write(self, member: Member) -> None:
        if member.appends:
            self._answer(member, member.write())

    def _apply(self, member: Member) -> None:
        if member.applies:
            entries, responses = member.apply()
            for entry in entries:
                known = self.committed.setdefault(entry.index, entry)
                assert known == entry, f"{member.id} applies {entry} where others have {known}"
            self._answer(member, responses)

    def propose(self, member: Member) -> bytes:
        """Propose something new at `member`."""
        self.proposed += 1
        data = b"%d" % self.proposed
        with suppress(StepError):
            member.node.propose(data)
        self._take(member)
        return data

    def _propose(self, member: Member) -> None:
        self.propose(self.leader() or member)

    def _change(self, member: Member) -> None:
        # Member 1 is never removed or demoted, so there is always a voter.
        kinds = (ConfChangeType.ADD_NODE, ConfChangeType.REMOVE_NODE, *ConfChangeType)
        changes = tuple(
            ConfChangeSingle(self.rng.choice(kinds), self.rng.choice(MEMBERS[1:]))
            for _ in range(self.rng.randint(0, 3))
        )
        wanted = ConfChangeV2(self.rng.choice(list(ConfChangeTransition)), changes)
        if not changes:
            wanted = ConfChangeV2()  # leaves a joint configuration
        leader = self.leader() or member
        with suppress(StepError):
            leader.node.propose_conf_change(wanted)
        self._take(leader)

    def _crash(self, member: Member) -> None:
        member.crash()
        self._take(member)

    def _compact(self, member: Member) -> None:
        if member.disk.first_index() < member.disk.latest.index <= member.disk.last_index():
            applied = member.node.raft.log.applied
            if applied >= member.disk.first_index():
                member.disk.compact(applied)

    def _report(self, member: Member) -> None:
        other = self.rng.choice(MEMBERS)
        if self.rng.random() < 0.5:
            member.node.report_unreachable(other)
        else:
            member.node.report_snapshot(other, ok=self.rng.random() < 0.5)
        if self.rng.random() < 0.2:
            member.node.transfer_leader(other)
        self._take(member)

    def _newest(self) -> Raft:
        """Whoever has applied most: its configuration is the newest in force."""
        return max(self.members.values(), key=lambda m: m.node.raft.log.applied).node.raft

    def stranded(self) -> bool:
        """Whether a former voter holds more than every voter of the newest configuration.

        A leader that steps down on its own removal may leave a tail behind that nobody commits.
        If the voters that remain have not heard yet that the removal is committed, they still ask
        for its vote, and it refuses them for their shorter logs. That is so in the library, too:
        leadership is to be handed over before a leader is removed.
        """
        voters = self._newest().tracker.config.voters
        reach = max(self.members[v].node.raft.log.last_id()[::-1] for v in voters.ids())
        return any(
            m.node.raft.log.last_id()[::-1] > reach
            for m in self.members.values()
            if not voters.has(m.id)
        )

    def check_logs(self) -> None:
        """Log matching: where two logs have the same entry, all before it is the same."""
        logs = [
            {i: log.term(i) for i in range(log.first_index(), log.last_index() + 1)}
            for log in (member.node.raft.log for member in self.members.values())
        ]
        for ours in logs:
            for theirs in logs:
                shared = sorted(i for i in ours if i in theirs)
                equal = [i for i in shared if ours[i] == theirs[i]]
                if equal:
                    assert all(ours[i] == theirs[i] for i in shared if i <= equal[-1])
