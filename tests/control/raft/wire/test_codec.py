"""Messages as bytes: what goes in comes out, and nothing else is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.raft.v1 import raft_pb2
from holdfast.control.raft.messages import (
    LOCAL_TYPES,
    ConfState,
    Entry,
    EntryType,
    Message,
    MessageType,
    Snapshot,
)
from holdfast.control.raft.wire import codec

numbers = st.integers(0, 2**64 - 1)
ids = st.lists(numbers, max_size=3).map(tuple)
remote = [
    kind
    for kind in MessageType
    if kind not in LOCAL_TYPES and kind not in (MessageType.PROP, MessageType.FORGET_LEADER)
]
entries = st.builds(Entry, numbers, numbers, st.sampled_from(EntryType), st.binary(max_size=20))
snapshots = st.builds(
    Snapshot, numbers, numbers, st.builds(ConfState, ids, ids, ids, ids, st.booleans()),
    st.binary(max_size=5),
)  # fmt: skip
messages = st.builds(
    Message, st.sampled_from(remote), to=numbers, sender=numbers, term=numbers, log_term=numbers,
    index=numbers, entries=st.lists(entries, max_size=3), commit=numbers, vote=numbers,
    snapshot=st.none() | snapshots, reject=st.booleans(), reject_hint=numbers,
    context=st.binary(max_size=5),
)  # fmt: skip


@given(st.lists(messages, max_size=3))
def test_messages_come_back(sent: list[Message]) -> None:
    assert codec.decode(codec.encode(sent)) == sent


@given(st.lists(messages, max_size=3), st.binary(max_size=20))
def test_they_are_messages_of_the_protocol(sent: list[Message], end: bytes) -> None:
    sent.append(Message(MessageType.APP, entries=[Entry(1, 1, data=300 * b"x" + end)]))
    written = raft_pb2.Messages.FromString(codec.encode(sent))
    assert written == raft_pb2.Messages(messages=map(codec.to_proto, sent))


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    for read in (codec.decode, codec.decode_head, codec.decode_piece):
        try:
            read(data)
        except codec.CodecError as error:
            assert str(error)


@pytest.mark.parametrize("kind", sorted(set(MessageType) - set(remote)))
def test_what_is_local_cannot_be_sent(kind: MessageType) -> None:
    with pytest.raises(KeyError):
        codec.encode([Message(kind)])


@given(messages)
def test_a_snapshot_begins_with_its_message(message: Message) -> None:
    assert codec.decode_head(codec.encode_head(message)) == message
    assert codec.decode_piece(codec.encode_piece(b"abc")) == b"abc"
    with pytest.raises(codec.CodecError):
        codec.decode_piece(codec.encode_head(message))
