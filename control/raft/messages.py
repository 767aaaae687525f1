"""The plain data of the consensus core: entries, states, snapshots and messages.

Immutable values are NamedTuples, so they cost little and compare by content. `Message` is a
slotted dataclass because the core fills in sender and term when it sends; once a message has
left the core nobody changes it (forwarding makes a new one). Entries are shared, never copied:
the same tuple stands in the log, in messages and in what is applied.

Sizes are those of the library's own encoding (protobuf, fields type, term, index, data), so
every byte limit means the same here as there, whatever a transport or a disk makes of an entry.
Configuration changes are in `changes`, and re-exported here.

Pure module.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum, auto
from typing import Final, NamedTuple

from holdfast.control.raft.changes import (
    ConfChange,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
)

__all__ = [
    "LOCAL_APPEND",
    "LOCAL_APPLY",
    "LOCAL_TARGETS",
    "LOCAL_TYPES",
    "NONE",
    "NO_LIMIT",
    "RESPONSE_TYPES",
    "ConfChange",
    "ConfChangeSingle",
    "ConfChangeTransition",
    "ConfChangeType",
    "ConfChangeV2",
    "ConfState",
    "Entry",
    "EntryType",
    "HardState",
    "Message",
    "MessageType",
    "Snapshot",
    "decode_conf_change",
    "encode_conf_change",
    "entries_size",
    "limit_size",
    "payload_size",
]

NONE: Final = 0  # no node: no leader, no vote
NO_LIMIT: Final = 2**64 - 1
LOCAL_APPEND: Final = 2**64 - 1  # pseudo id of the local log writer (asynchronous mode)
LOCAL_APPLY: Final = 2**64 - 2  # pseudo id of the local state machine (asynchronous mode)
LOCAL_TARGETS: Final = frozenset((LOCAL_APPEND, LOCAL_APPLY))


class EntryType(IntEnum):
    """What an entry's data is. The numbers are stored."""

    NORMAL = 0
    CONF_CHANGE = 1  # data: ConfChange
    CONF_CHANGE_V2 = 2  # data: ConfChangeV2; no data at all: leave the joint configuration


def _varint_size(number: int) -> int:
    return (number.bit_length() + 6) // 7 or 1


class Entry(NamedTuple):
    """One position of the log. `index` and `term` are set by the leader that appends it."""

    index: int = 0  # type: ignore[assignment] # tuple.index is not used
    term: int = 0
    type: EntryType = EntryType.NORMAL
    data: bytes = b""

    @property
    def size(self) -> int:
        """Encoded size in bytes, what all limits but the uncommitted one count."""
        size = 2 + _varint_size(self.index) + _varint_size(self.term)
        if self.type:
            size += 2
        if self.data:
            size += 1 + _varint_size(len(self.data)) + len(self.data)
        return size


def entries_size(entries: Iterable[Entry]) -> int:
    """Encoded size of all `entries` in bytes."""
    return sum([entry.size for entry in entries])


def payload_size(entries: Iterable[Entry]) -> int:
    """Bytes of data in `entries`; an empty entry counts nothing, whatever its index."""
    return sum([len(entry.data) for entry in entries])


def limit_size(entries: Sequence[Entry], max_bytes: int) -> Sequence[Entry]:
    """The longest prefix of at most `max_bytes` encoded, but never fewer than one entry."""
    if max_bytes >= NO_LIMIT or len(entries) < 2:
        return entries
    size = 0
    for count, entry in enumerate(entries):
        size += entry.size
        if size > max_bytes and count:
            return entries[:count]
    return entries


class HardState(NamedTuple):
    """What must survive a restart besides the log. All zero: never written."""

    term: int = 0
    vote: int = NONE
    commit: int = 0


class ConfState(NamedTuple):
    """A configuration as stored with a snapshot; every field of ids is a sorted tuple.

    `voters_outgoing` is non-empty only while joint. `learners_next` become learners when the
    joint configuration is left: until then they still vote in the outgoing half.
    """

    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    voters_outgoing: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False


class Snapshot(NamedTuple):
    """The state after `index`. An index of 0 means there is none."""

    index: int = 0  # type: ignore[assignment] # tuple.index is not used
    term: int = 0
    conf_state: ConfState = ConfState()
    data: bytes = b""


class MessageType(StrEnum):
    """Between nodes unless said otherwise; the local ones are never taken from the network."""

    HUP = auto()  # local: campaign
    BEAT = auto()  # local: send heartbeats
    PROP = auto()
    APP = auto()
    APP_RESP = auto()
    VOTE = auto()
    VOTE_RESP = auto()
    PRE_VOTE = auto()
    PRE_VOTE_RESP = auto()
    SNAP = auto()
    HEARTBEAT = auto()
    HEARTBEAT_RESP = auto()
    UNREACHABLE = auto()  # local: the transport lost a peer
    SNAP_STATUS = auto()  # local: how a snapshot's transfer ended
    CHECK_QUORUM = auto()  # local
    TRANSFER_LEADER = auto()
    TIMEOUT_NOW = auto()
    READ_INDEX = auto()
    READ_INDEX_RESP = auto()
    STORAGE_APPEND = auto()  # local: to LOCAL_APPEND
    STORAGE_APPEND_RESP = auto()  # local: from LOCAL_APPEND
    STORAGE_APPLY = auto()  # local: to LOCAL_APPLY
    STORAGE_APPLY_RESP = auto()  # local: from LOCAL_APPLY
    FORGET_LEADER = auto()


LOCAL_TYPES: Final = frozenset(
    (
        MessageType.HUP,
        MessageType.BEAT,
        MessageType.UNREACHABLE,
        MessageType.SNAP_STATUS,
        MessageType.CHECK_QUORUM,
        MessageType.STORAGE_APPEND,
        MessageType.STORAGE_APPEND_RESP,
        MessageType.STORAGE_APPLY,
        MessageType.STORAGE_APPLY_RESP,
    )
)
RESPONSE_TYPES: Final = frozenset(
    (
        MessageType.APP_RESP,
        MessageType.VOTE_RESP,
        MessageType.HEARTBEAT_RESP,
        MessageType.UNREACHABLE,
        MessageType.READ_INDEX_RESP,
        MessageType.PRE_VOTE_RESP,
        MessageType.STORAGE_APPEND_RESP,
        MessageType.STORAGE_APPLY_RESP,
    )
)


@dataclass(slots=True)
class Message:
    """One message. Fields a type has no use for keep their defaults.

    APP: `entries` follow (`log_term`, `index`). APP_RESP rejecting: `index` is what was refused,
    (`log_term`, `reject_hint`) a guess where the logs agree. STORAGE_APPEND: `term`, `vote` and
    `commit` are the hard state to write, all 0 where it is unchanged; `responses` go out when
    everything in the message is durable. STORAGE_APPLY: `responses` go out when it is applied.
    """

    type: MessageType
    to: int = NONE
    sender: int = NONE
    term: int = 0
    log_term: int = 0
    index: int = 0
    entries: Sequence[Entry] = ()
    commit: int = 0
    vote: int = NONE
    snapshot: Snapshot | None = None
    reject: bool = False
    reject_hint: int = 0
    context: bytes = b""
    responses: "Sequence[Message]" = ()


def encode_conf_change(change: ConfChange | ConfChangeV2) -> Entry:
    """The entry that proposes `change`; its index and term are not set yet."""
    if isinstance(change, ConfChange):
        return Entry(type=EntryType.CONF_CHANGE, data=change.encode())
    return Entry(type=EntryType.CONF_CHANGE_V2, data=change.encode())


def decode_conf_change(entry: Entry) -> ConfChange | ConfChangeV2 | None:
    """The change that `entry` carries, or None for a normal entry.

    Raises:
        ValueError: the data is no configuration change of that type.
    """
    if entry.type == EntryType.CONF_CHANGE:
        return ConfChange.decode(entry.data)
    if entry.type == EntryType.CONF_CHANGE_V2:
        return ConfChangeV2.decode(entry.data)
    return None
