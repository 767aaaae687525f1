"""Majorities: which index is committed, and how an election stands.

Pure module. A decision of a group needs a majority of its voters; while the group changes from one
set of voters to another (joint consensus, Raft dissertation §4.3) it needs a majority of each.
Both rules are written here once and nowhere else; the tracker and the read index ask them.

An empty majority stands for "no such half": it commits everything and votes yes, so a joint
configuration whose second half is empty decides as its first half alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, Self

INDEX_MAX = 2**64 - 1
"""The index that an empty majority has committed: above every real one."""


class VoteResult(StrEnum):
    """How an election stands, given the votes known so far."""

    PENDING = "pending"
    """Votes that are still out can decide it either way."""
    LOST = "lost"
    """A majority of yes is out of reach."""
    WON = "won"
    """A majority said yes."""


class MajorityConfig(tuple[int, ...]):
    """The voters of one majority: member ids, ascending, each once."""

    __slots__ = ()

    def __new__(cls, ids: Iterable[int] = ()) -> Self:
        """Sort the ids and drop repetitions.

        Args:
            ids: member ids, in any order.
        """
        return super().__new__(cls, sorted(dict.fromkeys(ids)))

    def committed_index(self, acked: Callable[[int], int | None]) -> int:
        """Return the highest index that a majority has acknowledged.

        Args:
            acked: the index a voter has acknowledged, None where nothing is known of it.

        Returns:
            The index; 0 where no majority has acknowledged any; INDEX_MAX for no voters at all.
        """
        count = len(self)
        if not count:
            return INDEX_MAX
        known = sorted([acked(voter) or 0 for voter in self])
        return known[(count - 1) // 2]

    def vote_result(self, votes: Mapping[int, bool]) -> VoteResult:
        """Return how the election stands.

        Args:
            votes: yes or no of those who answered; votes of non-members are not counted.
        """
        if not self:
            return VoteResult.WON
        yes = no = 0
        for voter in self:
            vote = votes.get(voter)
            if vote is None:
                continue
            if vote:
                yes += 1
            else:
                no += 1
        needed = len(self) // 2 + 1
        if yes >= needed:
            return VoteResult.WON
        if len(self) - no >= needed:
            return VoteResult.PENDING
        return VoteResult.LOST


class JointConfig(NamedTuple):
    """The voters of a group: one majority, or two while it changes (joint consensus)."""

    incoming: MajorityConfig = MajorityConfig()
    """The voters that stay when the change is over; the only ones outside of a change."""
    outgoing: MajorityConfig = MajorityConfig()
    """The voters before the change; empty outside of one."""

    @property
    def is_joint(self) -> bool:
        """Whether a change is under way, so that both halves must agree."""
        return bool(self.outgoing)

    def ids(self) -> MajorityConfig:
        """Return the voters of either half, ascending."""
        if not self.outgoing:
            return self.incoming
        return MajorityConfig((*self.incoming, *self.outgoing))

    def has(self, member: int) -> bool:
        """Return whether the member votes in either half."""
        return member in self.incoming or member in self.outgoing

    def committed_index(self, acked: Callable[[int], int | None]) -> int:
        """Return the highest index that a majority of each half has acknowledged.

        Args:
            acked: as in `MajorityConfig.committed_index`.
        """
        index = self.incoming.committed_index(acked)
        if not self.outgoing:
            return index
        return min(index, self.outgoing.committed_index(acked))

    def vote_result(self, votes: Mapping[int, bool]) -> VoteResult:
        """Return how the election stands: won in both halves, or lost in one, else pending."""
        first = self.incoming.vote_result(votes)
        second = self.outgoing.vote_result(votes)
        if first == second:
            return first
        if VoteResult.LOST in (first, second):
            return VoteResult.LOST
        return VoteResult.PENDING
