"""Messages of the core as bytes (api/raft/v1/raft.proto), and back.

Used by every transport, the simulated one too, so that what a member receives never shares memory
with what another one sent. Local message types have no bytes: they cannot be sent. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from holdfast.api.raft.v1 import raft_pb2
from holdfast.api.varints import varint
from holdfast.control.raft.messages import (
    ConfState,
    Entry,
    EntryType,
    Message,
    MessageType,
    Snapshot,
)

_NUMBERS = {
    MessageType.APP: raft_pb2.APPEND,
    MessageType.APP_RESP: raft_pb2.APPEND_REPLY,
    MessageType.VOTE: raft_pb2.VOTE,
    MessageType.VOTE_RESP: raft_pb2.VOTE_REPLY,
    MessageType.PRE_VOTE: raft_pb2.PRE_VOTE,
    MessageType.PRE_VOTE_RESP: raft_pb2.PRE_VOTE_REPLY,
    MessageType.SNAP: raft_pb2.SNAPSHOT,
    MessageType.HEARTBEAT: raft_pb2.HEARTBEAT,
    MessageType.HEARTBEAT_RESP: raft_pb2.HEARTBEAT_REPLY,
    MessageType.TIMEOUT_NOW: raft_pb2.TIMEOUT_NOW,
    MessageType.READ_INDEX: raft_pb2.READ_INDEX,
    MessageType.READ_INDEX_RESP: raft_pb2.READ_INDEX_REPLY,
    MessageType.TRANSFER_LEADER: raft_pb2.TRANSFER_LEADER,
}
_TYPES = {number: kind for kind, number in _NUMBERS.items()}
_ENTRY_TYPES = {int(kind): kind for kind in EntryType}


# The tags of fields whose length follows: Messages.messages, Message.entries, Entry.data.
_MESSAGES, _ENTRIES, _DATA = (
    bytes([kind.DESCRIPTOR.fields_by_name[name].number << 3 | 2])
    for kind, name in (
        (raft_pb2.Messages, "messages"), (raft_pb2.Message, "entries"), (raft_pb2.Entry, "data")
    )
)  # fmt: skip


class CodecError(Exception):
    """The bytes are no messages of this version."""


def encode(messages: Iterable[Message]) -> bytes:
    """Messages as one raft.v1.Messages.

    An entry's data may be megabytes and goes to every peer: what is around it is written here, so
    that it is copied once, into the result.
    """
    parts: list[bytes] = []
    for message in messages:
        pieces = [_fields(message).SerializeToString()]
        for index, term, kind, data in message.entries:
            head = raft_pb2.Entry(index=index, term=term, type=int(kind)).SerializeToString()
            head += _DATA + varint(len(data))
            pieces += (_ENTRIES + varint(len(head) + len(data)) + head, data)
        parts.append(_MESSAGES + varint(sum(map(len, pieces))))
        parts += pieces
    return b"".join(parts)


def decode(data: bytes) -> list[Message]:
    """What `encode` wrote. Raises CodecError."""
    try:
        return [from_proto(one) for one in raft_pb2.Messages.FromString(data).messages]
    except DecodeError as error:
        raise CodecError(f"{len(data)} bytes are no messages of a group") from error


def to_proto(message: Message) -> raft_pb2.Message:
    """One message."""
    made = _fields(message)
    for index, term, kind, data in message.entries:
        made.entries.add(index=index, term=term, type=int(kind), data=data)
    return made


def _fields(message: Message) -> raft_pb2.Message:
    """A message without its entries."""
    made = raft_pb2.Message(
        type=_NUMBERS[message.type],
        to=message.to,
        term=message.term,
        log_term=message.log_term,
        index=message.index,
        commit=message.commit,
        vote=message.vote,
        reject=message.reject,
        reject_hint=message.reject_hint,
        context=message.context,
    )
    setattr(made, "from", message.sender)
    if message.snapshot is not None:
        index, term, conf, data = message.snapshot
        made.snapshot.index, made.snapshot.term, made.snapshot.data = index, term, data
        made.snapshot.conf_state.CopyFrom(raft_pb2.ConfState(**conf._asdict()))
    return made


def from_proto(made: Any) -> Message:
    """The reverse of `to_proto`. Raises CodecError for a type of another version."""
    kind = _TYPES.get(made.type)
    if kind is None:
        raise CodecError(f"a message of unknown type {made.type}")
    try:
        entries = [
            Entry(one.index, one.term, _ENTRY_TYPES[one.type], one.data) for one in made.entries
        ]
    except KeyError as error:
        raise CodecError(f"an entry of unknown type {error}") from None
    return Message(
        kind,
        to=made.to,
        sender=getattr(made, "from"),
        term=made.term,
        log_term=made.log_term,
        index=made.index,
        entries=entries,
        commit=made.commit,
        vote=made.vote,
        snapshot=_snapshot(made.snapshot) if made.HasField("snapshot") else None,
        reject=made.reject,
        reject_hint=made.reject_hint,
        context=made.context,
    )


def _snapshot(made: Any) -> Snapshot:
    conf = made.conf_state
    state = ConfState(
        tuple(conf.voters),
        tuple(conf.learners),
        tuple(conf.voters_outgoing),
        tuple(conf.learners_next),
        conf.auto_leave,
    )
    return Snapshot(made.index, made.term, state, made.data)


def encode_head(message: Message) -> bytes:
    """The first Piece of a snapshot: the message it belongs to."""
    return raft_pb2.Piece(message=to_proto(message)).SerializeToString()


def encode_piece(data: bytes) -> bytes:
    """A further Piece of a snapshot."""
    return raft_pb2.Piece(data=data).SerializeToString()


def decode_head(data: bytes) -> Message:
    """The message that `encode_head` wrote. Raises CodecError."""
    piece = _piece(data)
    if piece.WhichOneof("piece") != "message":
        raise CodecError("a snapshot begins without its message")
    return from_proto(piece.message)


def decode_piece(data: bytes) -> bytes:
    """What `encode_piece` was given. Raises CodecError."""
    piece = _piece(data)
    if piece.WhichOneof("piece") != "data":
        raise CodecError("a snapshot has a second message")
    return piece.data


def _piece(data: bytes) -> raft_pb2.Piece:
    try:
        return raft_pb2.Piece.FromString(data)
    except DecodeError as error:
        raise CodecError(f"{len(data)} bytes are no piece of a snapshot") from error
