"""The group of the core tier: its members, the network between them, and what is counted.

The network is a list of messages in flight; the schedule picks one to deliver. A link may be
blocked one way. A snapshot's sender hears how its transfer ended, as from a real transport.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush

from holdfast.control.raft.messages import ConfState, Entry, Message, MessageType
from holdfast.control.raft.ready import Role
from holdfast.control.store import records
from holdfast.control.store.commands import Commit
from holdfast.control.store.state import Applied
from tests.sim.core.disk import Disk
from tests.sim.core.ledger import Ledger
from tests.sim.core.member import Member
from tests.sim.core.plan import Plan
from tests.sim.streams import Streams, Trace

BASE_INDEX = 10
BASE_TERM = 1
MEMBERS_MAX = 12
IN_FLIGHT_MAX = 300
LATE_STEPS = (50, 200, 800)
"""How much later a message comes a second time."""


class Cluster:
    """All of one run but its clients and its schedule."""

    def __init__(self, plan: Plan, streams: Streams) -> None:
        self.plan = plan
        self.streams = streams
        self._rng = streams["network"]
        self.trace = Trace()
        self.counts: Counter[str] = Counter()
        conf = ConfState(voters=tuple(range(1, plan.members + 1)))
        self.ledger = Ledger(BASE_INDEX, conf)
        self.members: dict[int, Member] = {}
        self.flying: list[Message] = []
        self._decoded: dict[bytes, Sequence[records.Command]] = {}
        self.step = 0  # of the schedule
        self._late: list[tuple[int, int, Message]] = []  # by the step at which it comes again
        self.blocked: set[tuple[int, int]] = set()  # asked, never walked
        self.term = BASE_TERM
        self._last_term = BASE_TERM
        self.transferee = 0  # whom leadership was last to be handed to
        self.answers: list[bytes] = []  # ids acknowledged since the clients last looked
        self.panics: list[str] = []
        self.moments: list[tuple[str, Member]] = []  # delicate ones, that faults may seize
        for ident in conf.voters:
            disk = Disk(streams["disk"])
            disk.begin(BASE_INDEX, BASE_TERM, conf)
            self._add(ident, disk)

    def decoded(self, data: bytes) -> Sequence[records.Command]:
        """The commands of an entry, which every member applies."""
        commands = self._decoded.get(data)
        if commands is None:
            commands = self._decoded[data] = records.decode(data)
        return commands

    def count(self, event: str) -> None:
        """Something that must happen in some run has happened."""
        self.counts[event] += 1

    def _add(self, ident: int, disk: Disk) -> Member:
        member = self.members[ident] = Member(self, ident, disk)
        member.start()
        return member

    def join(self) -> int:
        """A new member with an empty disk; its id was never used before."""
        ident = len(self.members) + 1
        self._add(ident, Disk(self.streams["disk"]))
        return ident

    def panicked(self, member: Member, error: Exception) -> None:
        """A member met an impossible state: its process ended."""
        self.panics.append(f"member {member.id} panicked: {error}")
        self.trace.note(self.panics[-1])
        member.node = None

    @property
    def room(self) -> bool:
        """There may be another member."""
        return len(self.members) < MEMBERS_MAX

    def running(self) -> list[Member]:
        """Members that have a process and are not paused, by id."""
        step = self.step
        return [
            member
            for member in self.members.values()
            if member.node is not None and member.paused_until <= step
        ]

    def leaders(self) -> list[Member]:
        """Running members that believe they lead."""
        return [member for member in self.running() if member.role is Role.LEADER]

    def acknowledged(self, member: Member, message: Message) -> None:
        """A member tells a leader how far its log goes; what was to be synced before is.

        One that is in a newer term by now may have lost the entry to a newer leader before it
        wrote it. That acknowledgement commits nothing: whoever elected the newer leader would
        have had to take the entry before, and then would not have elected it.
        """
        leader = self.members[message.to].node
        if not member.node or member.node.raft.term != message.term:
            return
        if leader and leader.raft.role is Role.LEADER and leader.raft.term == message.term:
            leaders = leader.raft.log.term(message.index)
            if leaders and message.index >= member.disk.first_index():
                own = member.disk.term_or_none(message.index)
                self.ledger.logs.acknowledged(member.id, message.index, own, leaders)

    def led(self, member: Member) -> None:
        """A member became leader."""
        assert member.node
        term = member.node.status().hard_state.term
        self.term = max(self.term, term)
        self.count("leader elected")
        if term > 1 + max(self._last_term, BASE_TERM):
            self.count("election split")  # terms went by in which nobody won
        self._last_term = max(self._last_term, term)
        if member.id == self.transferee:
            self.count("leadership handed over")
        self.transferee = 0
        if len(member.conf.voters) == 1:
            self.count("group of one member")
        self.trace.note(f"{member.id} leads {term}")
        self.moments.append(("elected", member))
        raft = member.node.raft
        self.ledger.led(member.id, term, raft.log, raft.tracker.conf_state(), member.applied)

    def send(self, member: Member, message: Message) -> None:
        """Into the network; loss and duplication happen here."""
        rng, plan = self._rng, self.plan
        copies = 1
        self.count("message sent")
        if plan.loss and rng.random() < plan.loss:
            copies = 0
        elif plan.duplicate and rng.random() < plan.duplicate:
            copies = 2
            self.count("message duplicated")
        if message.type is MessageType.SNAP:
            self.count("snapshot sent")
        elif plan.late and rng.random() < plan.late:
            due = self.step + rng.choice(LATE_STEPS)
            heappush(self._late, (due, self.counts["message sent"], message))
        self.flying += [message] * copies
        if not copies:
            self._lost(message)
        while len(self.flying) > IN_FLIGHT_MAX:
            self._lost(self.flying.pop(0))

    def pass_step(self) -> None:
        """The next step of the schedule begins: messages that come late are in the network."""
        self.step += 1
        while self._late and self._late[0][0] <= self.step:
            self.count("message came late once more")
            self.flying.append(heappop(self._late)[-1])

    def _lost(self, message: Message) -> None:
        self.count("message lost")
        if message.type == MessageType.SNAP:
            self.count("snapshot lost")
            self.members[message.sender].transfer_ended(message.to, False)

    def deliver(self) -> None:
        """One of the oldest messages arrives, or is lost at a blocked link."""
        flying = self.flying
        message = flying.pop(self._rng.below(min(self.plan.window, len(flying))))
        receiver = self.members.get(message.to)
        if receiver is None or receiver.node is None:
            self._lost(message)
            return
        if (message.sender, message.to) in self.blocked:
            self._lost(message)
            return
        if not receiver.running:
            flying.append(message)
            return
        kind = message.type
        self.trace.note(f"{message.sender}>{message.to} {kind} {message.index}")
        if kind is MessageType.APP_RESP:
            self._deliver_answer(receiver, message)
            return
        if kind is MessageType.SNAP:
            self.members[message.sender].transfer_ended(message.to, True)
        elif kind is MessageType.VOTE:
            self.moments.append(("asked for a vote", receiver))
        receiver.step(message)

    def _deliver_answer(self, receiver: Member, message: Message) -> None:
        old = self._acknowledges_old(receiver, message)
        receiver.step(message)
        if old:
            self.moments.append(("old entry acknowledged", receiver))
        if message.sender in receiver.conf.learners:
            self._learner_heard(receiver, message)

    @staticmethod
    def _acknowledges_old(receiver: Member, message: Message) -> bool:
        """A leader hears that somebody has an entry of an older term, not committed yet."""
        if message.reject or not receiver.node:
            return False
        raft = receiver.node.raft
        if raft.role is not Role.LEADER or message.index <= raft.log.committed:
            return False
        return (raft.log.term(message.index) or raft.term) < raft.term

    def _learner_heard(self, receiver: Member, message: Message) -> None:
        """A leader hears that a member that only learns has all that is committed."""
        if receiver.node is None or receiver.role is not Role.LEADER or message.reject:
            return
        if message.index >= receiver.node.raft.log.committed:
            self.moments.append(("learner level", receiver))

    def answered(
        self, member: Member, entry: Entry, commit: Commit, asked: tuple[int, int], applied: Applied
    ) -> None:
        """A member applied a commit that a client waits for. asked: what was acknowledged when
        the client first asked, and how often it has asked."""
        floor, tries = asked
        self.trace.note(f"{member.id} answers {commit.id.hex()} at {entry.index}")
        self.count("write answered")
        if tries > 1:
            self.count("retry answered")
            if applied.remembered is None:
                self.count("retry answered with the first result")
                floor = 0  # its first try may stand below
        if applied.result and any(outcome.refusal == "term" for outcome in applied.result.outcomes):
            self.count("commit of an old term refused")
        holders = [one.id for one in self.members.values() if one.disk.holds(entry)]
        self.ledger.answered(entry, floor, applied, holders)
        self.moments.append(("write answered", member))
        self.answers.append(commit.id)

    def changed(self, member: Member, before: ConfState) -> None:
        """A member applied a change of the configuration."""
        after = member.conf
        self.trace.note(f"{member.id} {after}")
        if after.voters_outgoing:
            self.count("joint configuration entered")
        elif before.voters_outgoing:
            self.count("joint configuration left")
        if member.id in before.voters and member.id not in after.voters and not after.learners:
            self.count("leader removed" if member.role == Role.LEADER else "follower removed")
        if member.role == Role.LEADER and (after.voters_outgoing or len(after.learners) > 1):
            self.moments.append(("group changed", member))
        if set(after.voters) & set(before.learners):
            self.count("learner promoted")

    def block(self, links: Sequence[tuple[int, int]]) -> None:
        """Cut these one-way links, and no others."""
        self.blocked = set(links)
