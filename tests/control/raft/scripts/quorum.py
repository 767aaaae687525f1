"""Runs the scripts of the folder `quorum`: commit index and votes of one or two majorities.

`committed cfg=(1,2) [cfgj=(2,3)|cfgj=zero] idx=(5,_,7)` and `vote … votes=(y,n,_)`. Values belong
to the voters in the order in which cfg and cfgj first name them; `_` is "nothing known". Each
result is also worked out in other ways that must agree; where they do not, the output says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from holdfast.control.raft.quorum import INDEX_MAX, JointConfig, MajorityConfig, VoteResult
from tests.control.raft.scripts import naive
from tests.control.raft.scripts.datadriven import Block, ScriptError, number

_VOTE_NAMES = {
    VoteResult.PENDING: "VotePending",
    VoteResult.LOST: "VoteLost",
    VoteResult.WON: "VoteWon",
}
_VOTES = {"y": True, "n": False}


class QuorumHarness:
    """Has no state: each command brings its own configuration."""

    def run(self, block: Block) -> str:
        """Run one command and return its output."""
        listed = {argument.key: argument.values for argument in block.arguments}
        for key in listed:
            if key not in ("cfg", "cfgj", "idx", "votes"):
                raise ScriptError(f"unknown argument {key}")
        joint = "cfgj" in listed
        second = () if listed.get("cfgj") == ("zero",) else listed.get("cfgj", ())
        order = [number(voter) for voter in (*listed.get("cfg", ()), *second)]
        incoming = MajorityConfig(number(voter) for voter in listed.get("cfg", ()))
        voters = JointConfig(incoming, MajorityConfig(number(voter) for voter in second))
        values = listed.get("votes" if block.command == "vote" else "idx", ())
        if len(values) != len(voters.ids()):
            given = " ".join(values)
            return f"error: mismatched input (explicit or _) for voters {voters.ids()}: [{given}]"
        known = {
            voter: value
            for voter, value in zip(dict.fromkeys(order), values, strict=True)
            if value != "_"
        }
        match block.command:
            case "committed":
                acked = {voter: number(value) for voter, value in known.items()}
                return _joint(voters, acked) if joint else _majority(voters.incoming, acked)
            case "vote":
                return _vote(voters, {voter: _yes(value) for voter, value in known.items()})
        raise ScriptError(f"unknown command {block.command}")

    def close(self) -> None:
        """Nothing to release."""


def _yes(value: str) -> bool:
    if value not in _VOTES:
        raise ScriptError(f"unknown vote: {value}")
    return _VOTES[value]


def _majority(voters: MajorityConfig, acked: Mapping[int, int]) -> str:
    index = voters.committed_index(acked.get)
    others: list[tuple[int, str]] = [
        (naive.committed_index(voters, acked), "via alternative computation"),
        (JointConfig(voters).committed_index(acked.get), "via zero-joint quorum"),
        (JointConfig(voters, voters).committed_index(acked.get), "via self-joint quorum"),
    ]
    for voter in voters:
        known = acked.get(voter, 0)
        if 0 < known < index:
            for lower in (known - 1, 0):
                lowered = {**acked, voter: lower}
                others.append((voters.committed_index(lowered.get), f"overlaying {voter}->{lower}"))
    return drawing(voters, acked.get) + _verdict(_index(index), [(_index(i), w) for i, w in others])


def _joint(voters: JointConfig, acked: Mapping[int, int]) -> str:
    index = voters.committed_index(acked.get)
    mirrored = JointConfig(voters.outgoing, voters.incoming).committed_index(acked.get)
    others = [(_index(mirrored), "via symmetry")]
    return drawing(voters.ids(), acked.get) + _verdict(_index(index), others)


def _vote(voters: JointConfig, votes: Mapping[int, bool]) -> str:
    result = voters.vote_result(votes)
    mirrored = JointConfig(voters.outgoing, voters.incoming).vote_result(votes)
    return _verdict(_VOTE_NAMES[result], [(_VOTE_NAMES[mirrored], "via symmetry")])


def _verdict(result: str, others: list[tuple[str, str]]) -> str:
    """The result, after those of the other ways that differ from it."""
    differing = "".join(f"{other} <-- {way}\n" for other, way in others if other != result)
    return f"{differing}{result}\n"


def _index(index: int) -> str:
    return "∞" if index == INDEX_MAX else str(index)


def drawing(voters: MajorityConfig, acked: Callable[[int], int | None]) -> str:
    """Draw the voters' indexes as bars: longer is further, equal is equal, `?` is unknown."""
    if not voters:
        return "<empty majority quorum>"
    count = len(voters)
    known = {voter: acked(voter) for voter in voters}
    ranked = sorted(known[voter] or 0 for voter in voters)
    lines = [f"{' ' * count}    idx\n"]
    for voter in voters:
        index = known[voter]
        bar = ranked.index(index or 0)
        drawn = "?" + " " * count if index is None else "x" * bar + ">" + " " * (count - bar)
        lines.append(f"{drawn} {index or 0:5d}    (id={voter:x})\n")
    return "".join(lines)
