"""What a node hands out: the work of one round, and its own view of itself.

A `Ready` is performed in this order: make `hard_state`, `entries` and `snapshot` durable, send
`messages`, apply `committed_entries`, then `advance()`. In asynchronous mode `messages` may go at
once, because those that wait for the disk ride as `responses` of the STORAGE_APPEND message; there
is no `advance()`, and the fields are only a copy of what the storage messages say.

Pure module.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum, auto
from typing import TYPE_CHECKING, NamedTuple

from holdfast.control.raft.messages import Entry, HardState, Message, Snapshot

if TYPE_CHECKING:
    from holdfast.control.raft.progress import Progress
    from holdfast.control.raft.tracker import TrackerConfig


class Role(StrEnum):
    """What a node is in its term."""

    FOLLOWER = auto()
    CANDIDATE = auto()
    LEADER = auto()
    PRE_CANDIDATE = auto()


class SoftState(NamedTuple):
    """Volatile: who leads as far as this node knows (NONE: nobody), and what it is itself."""

    leader: int
    role: Role


class ReadState(NamedTuple):
    """A read may be answered once `index` is applied; `context` says which read."""

    index: int  # type: ignore[assignment] # tuple.index is not used
    context: bytes


class Ready(NamedTuple):
    """One round of work. None or empty: nothing of that kind."""

    soft_state: SoftState | None
    hard_state: HardState | None
    read_states: Sequence[ReadState]
    entries: Sequence[Entry]
    snapshot: Snapshot | None
    committed_entries: Sequence[Entry]
    messages: Sequence[Message]
    must_sync: bool  # term, vote or entries changed: the write must be durable


class Status(NamedTuple):
    """A copy of what a node knows; `progress` is filled on the leader only."""

    id: int
    hard_state: HardState
    soft_state: SoftState
    applied: int
    transferee: int  # whom leadership is being handed to, or NONE
    config: "TrackerConfig"
    progress: "Mapping[int, Progress]"
