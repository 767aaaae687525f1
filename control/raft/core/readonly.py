"""Reads that wait for the leader to prove that it still leads (dissertation 6.4).

Every read gets a position in one queue. A heartbeat carries the position of the latest read; a
voter that answers it vouches for all reads up to there, so one round serves all that wait. A read
is confirmed once a quorum, of both halves while joint, vouches for its position.

Pure module.
"""

from typing import Final, NamedTuple

from holdfast.control.raft.core.config import ReadOnlyOption
from holdfast.control.raft.messages import Message
from holdfast.control.raft.quorum import JointConfig

READS_MAX: Final = 16_384  # waiting at one leader; a further one is dropped and asked again
_POSITION_BYTES: Final = 8


class WaitingRead(NamedTuple):
    """A read that was asked for when `commit` was the committed index."""

    request: Message
    commit: int


class ReadQueue:
    """The reads of one leader's term."""

    __slots__ = ("_acks", "_confirmed", "_waiting", "option")

    def __init__(self, option: ReadOnlyOption) -> None:
        self.option = option
        self._acks: dict[int, int] = {}  # voter -> the highest position it vouches for
        self._waiting: list[WaitingRead] = []
        self._confirmed = 0  # how many reads left the queue; [0] of _waiting has this plus one

    def add(self, commit: int, request: Message) -> bool:
        """Queue a read; False where the queue is full."""
        if len(self._waiting) >= READS_MAX:
            return False
        self._waiting.append(WaitingRead(request, commit))
        return True

    def acknowledge(self, voter: int, context: bytes) -> None:
        """`voter` answered a heartbeat that carried `context`."""
        if len(context) == _POSITION_BYTES:
            position = int.from_bytes(context, "little")
            self._acks[voter] = max(self._acks.get(voter, 0), position)

    def confirm(self, voters: JointConfig) -> list[WaitingRead]:
        """Take out, in order, the reads that a quorum of `voters` vouches for."""
        count = voters.committed_index(self._acks.get) - self._confirmed
        if count <= 0:
            return []
        done = self._waiting[:count]
        del self._waiting[:count]
        self._confirmed += len(done)
        return done

    def context(self) -> bytes:
        """What a heartbeat must carry so that its answers vouch for all that wait."""
        if not self._waiting:
            return b""
        position = self._confirmed + len(self._waiting)
        return position.to_bytes(_POSITION_BYTES, "little")
