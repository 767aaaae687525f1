"""The clients of the core tier: commits and linearizable reads, asked of any member.

A commit that was not answered is asked again of another member under the same id, so it must
happen at most once. Some commits carry the term of a leader, a stale one at times.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.ready import Role
from holdfast.control.store import records
from holdfast.control.store.commands import ABSENT, ANY, Commit, Compact, Compare, Key, Write
from tests.sim.core.cluster import Cluster
from tests.sim.core.member import Member

KEYS = tuple(Key("things", "", name) for name in "abcdef")
RETRIED_MAX = 6


@dataclass
class Asked:
    """A commit on its way. floor: what had been acknowledged at the first try."""

    commit: Commit
    floor: int
    tries: int = 0


class Clients:
    """All clients of a run; `act` does one thing."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rng = cluster.streams["clients"]
        self._made = 0
        self._open: dict[bytes, Asked] = {}

    def act(self) -> None:
        """Ask something of a member, of the leader more often than not."""
        cluster, rng = self._cluster, self._rng
        for commit_id in cluster.answers:
            self._open.pop(commit_id, None)
        cluster.answers.clear()
        running = cluster.running()
        if not running:
            return
        leaders = cluster.leaders()
        member = rng.choice(leaders if leaders and rng.random() < 0.8 else running)
        if rng.random() < cluster.plan.reads:
            self._read(member)
        elif rng.random() < 0.03:
            self._propose(member, [Compact(member.state.position.revision - rng.randrange(20))])
        else:
            self._write(member)

    def _write(self, member: Member) -> None:
        """A new commit, or one that nobody has answered."""
        rng = self._rng
        if self._open and (len(self._open) >= RETRIED_MAX or rng.random() < 0.3):
            asked = self._open[rng.choice([*self._open])]
        else:
            commit = self._commit(member)
            asked = self._open[commit.id] = Asked(commit, self._cluster.ledger.acknowledged)
        asked.tries += 1
        if asked.tries > 8:
            del self._open[asked.commit.id]  # given up: it may have happened or not
            self._cluster.count("commit given up")
            return
        member.waiting[asked.commit.id] = (asked.floor, asked.tries)
        self._propose(member, [asked.commit])

    def _propose(self, member: Member, commands: list[records.Command]) -> None:
        data = records.encode(commands)
        try:
            member.ask(lambda node: node.propose(data))
        except ProposalDroppedError:
            self._cluster.count("proposal dropped")

    def _commit(self, member: Member) -> Commit:
        rng = self._rng
        self._made += 1
        keys = rng.sample(KEYS, rng.choice((1, 1, 2, 3)))
        writes = [self._draw(member, key, at) for at, key in enumerate(keys)]
        atomic = rng.random() < 0.3
        compares: list[Compare] = []
        if atomic and rng.random() < 0.5:
            key = rng.choice([key for key in KEYS if key not in keys])
            compares = [Compare(key, self._expect(member, key))]
        term = 0
        if rng.random() < 0.3:
            term = self._cluster.term
            if member.role == Role.LEADER and member.node:
                term = member.node.status().hard_state.term
        return Commit(self._made.to_bytes(16, "big"), writes, compares, atomic, term)

    def _draw(self, member: Member, key: Key, at: int) -> Write:
        rng = self._rng
        expect = rng.choice((ANY, ANY, ABSENT, self._expect(member, key)))
        value = None if rng.random() < 0.15 else b"%d.%d" % (self._made, at)
        return Write(key, value, expect)

    def _expect(self, member: Member, key: Key) -> int:
        row = member.state.row(key)
        return row.revision if row else ABSENT

    def _read(self, member: Member) -> None:
        """A linearizable read at a member; it is counted when it is served."""
        self._made += 1
        context = b"read %d" % self._made
        member.asked[context] = self._cluster.ledger.acknowledged
        member.ask(lambda node: node.read_index(context))
