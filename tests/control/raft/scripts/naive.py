"""The arithmetic of majorities in another way: slow, and plain from its definition.

What the product computes is held against these, by the scripts and by properties.

Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from holdfast.control.raft.quorum import INDEX_MAX, VoteResult


def committed_index(voters: Iterable[int], acked: Mapping[int, int]) -> int:
    """The highest acknowledged index that more than half of the voters have reached."""
    members = list(voters)
    if not members:
        return INDEX_MAX
    candidates = {acked.get(voter, 0) for voter in members} | {0}
    return max(
        index
        for index in candidates
        if index == 0 or _majority(members, [acked.get(voter, 0) >= index for voter in members])
    )


def vote_result(voters: Iterable[int], votes: Mapping[int, bool]) -> VoteResult:
    """Try every way in which the missing votes may come in."""
    members = list(voters)
    if not members:
        return VoteResult.WON
    choices = [(votes[voter],) if voter in votes else (True, False) for voter in members]
    outcomes = {_majority(members, list(way)) for way in product(*choices)}
    if outcomes == {True}:
        return VoteResult.WON
    return VoteResult.PENDING if True in outcomes else VoteResult.LOST


def _majority(members: list[int], agree: list[bool]) -> bool:
    return 2 * sum(agree) > len(members)
