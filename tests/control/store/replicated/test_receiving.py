"""Snapshots that come twice, broken, or of another cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.api.raft.v1 import state_pb2
from holdfast.control.raft.messages import Message, MessageType
from holdfast.control.raft.shell.seams import SnapshotLostError
from holdfast.control.store.commands import Key
from holdfast.control.store.raft_engine import RaftEngine
from holdfast.control.store.replicated.writer import Keep
from tests.control.store.replicated.group import Group, put, within


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    group = Group(tmp_path, Keep(entries=2, most=10))
    await group.found(1, 2, 3)
    yield group
    await group.stop()


async def prepared(group: Group) -> tuple[RaftEngine, RaftEngine, Message, list[bytes]]:
    """A leader, one who is behind it, and a snapshot for that one."""
    leader = await group.leader()
    away = next(e for m, e in group.engines.items() if e is not leader)
    await put(leader, "a")
    await group.level()
    group.wires.cut.append(away.member)
    for n in range(40):
        await put(leader, f"a{n}")
    port = group.wires.ports[leader.member]
    offered = await within(lambda: leader._open().store.log.offer())
    message = Message(
        MessageType.SNAP,
        to=away.member,
        sender=leader.member,
        term=leader.view.term,
        snapshot=offered,
    )
    pieces = [piece async for piece in port.read_snapshot(message)]
    return leader, away, message, pieces


async def stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_one_that_comes_twice_is_taken_once(group: Group) -> None:
    leader, away, message, pieces = await prepared(group)
    port = group.wires.ports[away.member]
    for _ in range(3):
        await port.take_snapshot(message, stream(pieces))
        assert message.snapshot
        await within(lambda: away._open().store.log.applied >= message.snapshot.index)
    group.wires.cut.clear()
    await group.level()
    assert away.row(Key("pods", "", "a39"))
    for n in range(40):
        await put(leader, f"b{n}")
    await group.level()


def without_the_end(pieces: list[bytes]) -> list[bytes]:
    return pieces[:1]


def twice(pieces: list[bytes]) -> list[bytes]:
    return [*pieces, pieces[1]]


def foreign(pieces: list[bytes]) -> list[bytes]:
    first = state_pb2.StatePiece.FromString(pieces[0])
    first.position.cluster_id = "other"
    return [first.SerializeToString(), *pieces[1:]]


def changed(pieces: list[bytes]) -> list[bytes]:
    second = state_pb2.StatePiece.FromString(pieces[1])
    second.changes[0].value = b"other"
    return [pieces[0], second.SerializeToString(), *pieces[2:]]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (without_the_end, "incomplete"),
        (twice, "rows that contradict"),
        (foreign, "of cluster other"),
        (changed, "incomplete"),
        (lambda _pieces: [], "without its state"),
        (lambda _pieces: [b"\xff\xff"], "damaged"),
    ],
)
async def test_a_broken_one_is_not_taken(group: Group, broken: object, sentence: str) -> None:
    leader, away, message, pieces = await prepared(group)
    port = group.wires.ports[away.member]
    assert callable(broken)
    before = away.revision
    with pytest.raises(SnapshotLostError, match=sentence):
        await port.take_snapshot(message, stream(broken(pieces)))
    assert away.revision == before
    await port.take_snapshot(message, stream(pieces))
    group.wires.cut.clear()
    await group.level()
    assert away.revision == leader.revision
