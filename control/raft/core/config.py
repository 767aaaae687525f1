"""How a node is set up: its identity, its limits, and which variants of the algorithm it uses.

Read once when a node starts. Sizes are bytes of encoded entries unless said otherwise.

Pure module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto

from holdfast.control.raft.messages import LOCAL_TARGETS, NO_LIMIT, NONE
from holdfast.control.raft.storage import LogStorage


class ReadOnlyOption(StrEnum):
    """How a leader makes sure that it still leads before it answers a read (dissertation 6.4)."""

    SAFE = auto()  # by a round of heartbeats that a quorum answers
    LEASE_BASED = auto()  # by the clock: unsafe where ticks may pause; needs check_quorum


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one node.

    Raises:
        ValueError: on construction, naming the setting that makes no sense.
    """

    id: int
    storage: LogStorage
    randomness: Callable[[int], int]  # n -> 0 .. n-1, for the election timeout
    election_tick: int  # ticks without a leader before an election; at random up to twice that
    heartbeat_tick: int
    applied: int = 0  # what the state machine has applied, after a restart
    # Storage is written by STORAGE_APPEND and STORAGE_APPLY messages instead of advance().
    async_storage_writes: bool = False
    max_size_per_msg: int = NO_LIMIT  # of entries in one APP; 0: one entry a message
    # Entries handed out to be applied and not yet acknowledged; 0: as max_size_per_msg.
    max_committed_size_per_ready: int = 0
    max_uncommitted_entries_size: int = 0  # bytes of data in the leader's uncommitted tail; 0: any
    max_inflight_msgs: int = 256  # APPs on their way to one peer
    max_inflight_bytes: int = 0  # bytes of data on their way to one peer; 0: any
    check_quorum: bool = False  # a leader that hears no quorum for election_tick steps down
    pre_vote: bool = False  # ask before raising the term (dissertation 9.6)
    read_only_option: ReadOnlyOption = ReadOnlyOption.SAFE
    disable_proposal_forwarding: bool = False
    # Off only for those who serialise and check changes of the configuration themselves.
    disable_conf_change_validation: bool = False
    step_down_on_removal: bool = False  # a leader that is removed or demoted becomes a follower
    logger: Callable[[str], None] | None = None  # takes one line an event; None costs nothing

    def __post_init__(self) -> None:
        if self.id == NONE or self.id in LOCAL_TARGETS:
            raise ValueError(f"{self.id} cannot be the id of a node")
        if self.heartbeat_tick <= 0:
            raise ValueError("heartbeat_tick must be greater than 0")
        if self.election_tick <= self.heartbeat_tick:
            raise ValueError("election_tick must be greater than heartbeat_tick")
        if self.max_inflight_msgs <= 0:
            raise ValueError("max_inflight_msgs must be greater than 0")
        if self.max_inflight_bytes and self.max_inflight_bytes < self.max_size_per_msg:
            raise ValueError("max_inflight_bytes must be at least max_size_per_msg")
        if self.read_only_option is ReadOnlyOption.LEASE_BASED and not self.check_quorum:
            raise ValueError("reads by lease need check_quorum")

    @property
    def max_uncommitted_bytes(self) -> int:
        """The limit on the leader's uncommitted data, with "no limit" as a number."""
        return self.max_uncommitted_entries_size or NO_LIMIT

    @property
    def max_applying_bytes(self) -> int:
        """The limit on what is being applied; at least 1, which means one entry at a time."""
        return max(1, self.max_committed_size_per_ready or self.max_size_per_msg)
