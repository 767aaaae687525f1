"""From commits to etcd's transactions and back: judged as `state` does, folded to the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import (
    ABSENT,
    ANY,
    Change,
    Commit,
    Compare,
    Key,
    Result,
    Row,
    Write,
)
from holdfast.control.store.etcd import folding
from holdfast.control.store.etcd.folding import ForeignError
from holdfast.control.store.etcd.image import Image
from holdfast.control.store.etcd.planning import batches
from holdfast.control.store.etcd.planning.batches import Batch, Fence
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.revisions import Revisions
from holdfast.control.store.etcd.watching import Joiner
from holdfast.control.store.state import State

LAYOUT = Layout("t")
REVISIONS = Revisions()
TERM = 7

keys = st.builds(Key, st.sampled_from(["pods", "nodes"]), st.just(""), st.sampled_from("abcd"))
HERE, GONE = -2, 10**9
expects = st.sampled_from([ANY, ABSENT, HERE, HERE, GONE])
writes = st.builds(Write, keys, st.none() | st.binary(max_size=3), expects)


def _distinct(found: list[Write]) -> list[Write]:
    return list({write.key: write for write in found}.values())


commits = st.builds(
    Commit,
    st.just(b""),
    st.lists(writes, max_size=5).map(_distinct),
    st.just(()),
    st.booleans(),
    st.sampled_from([0, 0, 0, TERM, TERM + 1]),
)


class Etcd:
    """A pretended etcd: what a transaction does to the keys, as the events of a watch."""

    def __init__(self) -> None:
        self.main = 1
        self.kvs: dict[bytes, etcd.KeyValue] = {}

    def run(self, request: etcd.TxnRequest) -> list[etcd.Event]:
        self.main += 1
        events = []
        for operation in request.success:
            if operation.HasField("request_put"):
                key, value = operation.request_put.key, operation.request_put.value
                kv = etcd.KeyValue(key=key, value=value, mod_revision=self.main)
                event = etcd.Event(type=etcd.Event.PUT, kv=kv)
            else:
                key = operation.request_delete_range.key
                kv = etcd.KeyValue(key=key, mod_revision=self.main)
                event = etcd.Event(type=etcd.Event.DELETE, kv=kv)
            if key in self.kvs:
                event.prev_kv.CopyFrom(self.kvs[key])
            self.kvs.pop(key, None)
            if event.type == etcd.Event.PUT:
                self.kvs[key] = kv
            events.append(event)
        return events


def fold(image: Image, main: int, events: list[etcd.Event]) -> list[list[Change]]:
    """As the replica does; the history must say the same."""
    seen = folding.parse(LAYOUT, main, events)
    found = folding.commits(LAYOUT, REVISIONS, seen, lambda key, _: image.row(key))
    assert found == folding.commits(LAYOUT, REVISIONS, seen, folding.carried(LAYOUT, REVISIONS))
    for commit in found:
        for change in commit:
            image.fold(change)
    return found


def resolved(commit: Commit, rows: Image | State) -> Commit:
    """The commit for one of two engines, whose revisions differ: HERE is what is there."""

    def resolve(write: Write) -> Write:
        if write.expect != HERE:
            return write
        row = rows.row(write.key)
        return write._replace(expect=row.revision if row else GONE)

    return replace(commit, writes=[resolve(write) for write in commit.writes])


@settings(max_examples=30, deadline=None)
@given(st.lists(commits, max_size=10), st.integers(1, 4))
def test_it_judges_and_makes_what_the_state_machine_does(some: list[Commit], each: int) -> None:
    image, state, server = Image(), State(), Etcd()
    ours = {0: 0, GONE: GONE}  # our revision of each of the state machine's
    while some:
        batch = Batch(image, TERM, server.main)
        judged: list[tuple[Result, Result]] = []
        told: list[Sequence[Change]] = []
        while some and len(judged) < each:
            found = batch.add(resolved(some[0], image), 100)
            if found is None:
                break
            result, changes, _ = state.apply(TERM, resolved(some.pop(0), state))
            assert result
            judged.append((found, result))
            told += [changes] if changes else []
        made = fold(image, server.main + 1, server.run(batch.request(LAYOUT, Fence(TERM, 1))))
        assert list(map(len, made)) == list(map(len, told))
        for own, other in zip(chain(*made), chain(*told), strict=True):
            ours[other.revision] = own.revision
            numbers = (other.created, other.replaced, other.end)
            assert own[1:4] == other[1:4]
            assert (own.created, own.replaced) == (ours[numbers[0]], ours[numbers[1]])
        for found, result in judged:
            settled = values.settled(found, lambda sub: REVISIONS.of(server.main, sub))
            assert list(settled.outcomes) == [
                one._replace(revision=ours[one.revision], current=ours[one.current])
                for one in result.outcomes
            ]
            assert settled.revision == ours[result.revision]
    assert {row.key: row.value for row in image.all_rows()} == {
        row.key: row.value for row in state.all_rows()
    }
    again = Image()
    again.load(image.all_rows())
    assert again.checksum == image.checksum


def test_a_commit_that_needs_to_know_comes_in_the_next_transaction() -> None:
    def one(name: str, commit_id: bytes = b"") -> Commit:
        return Commit(commit_id, [Write(Key("pods", "", name), b"v", ANY)])

    batch = Batch(Image(), TERM, 1)
    assert batch.add(one("a", b"1"), 100)
    assert batch.add(one("a"), 100) is None
    assert batch.add(one("b", b"1"), 100) is None
    compare = Compare(Key("pods", "", "a"), ANY)
    assert batch.add(Commit(b"", [], [compare], atomic=True), 100) is None
    assert batch.add(one("c"), batches.BYTES_MAX) is None
    assert batch.add(one("c"), 100)


def test_a_transaction_stays_within_what_etcd_takes() -> None:
    batch, taken = Batch(Image(), TERM, 1), 0
    while batch.add(Commit(b"%d" % taken, [Write(Key("pods", "", str(taken)), b"v", ANY)]), 100):
        taken += 1
    batch.raise_floor(5)
    request = batch.request(LAYOUT, Fence(TERM, 1))
    assert taken == batches.CHANGES_MAX
    assert len(request.success) <= 128


def test_a_refusal_is_confirmed_without_a_write() -> None:
    batch = Batch(Image(), TERM, 1)
    batch.add(Commit(b"", [Write(Key("pods", "", "a"), None, ANY)]), 100)
    assert not batch.writes
    request = batch.request(LAYOUT, Fence(TERM, 9))
    assert [one.key for one in request.compare] == [LAYOUT.leader, LAYOUT.head]
    assert not request.success
    batch.opening = True
    assert len(batch.request(LAYOUT, Fence(TERM, 9)).success) == 1


@settings(max_examples=50)
@given(st.lists(writes, max_size=20), st.integers(1, 9))
def test_the_parts_of_a_batch_are_the_batch(some: list[Write], times: int) -> None:
    commit = Commit(b"0123456789abcdef", some * times)
    parts = list(batches.split(commit))
    assert [write for part, _, _ in parts for write in part.writes] == list(commit.writes)
    assert len({part.id for part, _, _ in parts}) == len(parts)
    for part, count, _ in parts:
        assert len({write.key for write in part.writes}) == count == len(part.writes)
        assert count <= batches.PART_WRITES_MAX
    assert parts == list(batches.split(commit))


def put_event(key: bytes, value: bytes, main: int = 5) -> etcd.Event:
    return etcd.Event(kv=etcd.KeyValue(key=key, value=value, mod_revision=main))


HEAD = values.encode_head(values.Head(1, 1, 0, 0, (1,)))
OBJECT = values.encode_object(values.Object(0, 0, 0, b""))
WHERE = LAYOUT.object(Key("pods", "", "a"))


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([put_event(WHERE, OBJECT)], "a was changed by another program"),
        ([put_event(LAYOUT.head, HEAD)], "head was changed by another program"),
        ([put_event(LAYOUT.head, b"x")], "head is not a head"),
        ([put_event(LAYOUT.start + b"zzz", b"")], "/t/zzz is no key of a Holdfast store"),
        (
            [etcd.Event(type=etcd.Event.DELETE, kv=etcd.KeyValue(key=LAYOUT.head))],
            "head was deleted by another program",
        ),
    ],
)
def test_a_foreign_hand_is_named(events: list[etcd.Event], told: str) -> None:
    with pytest.raises(ForeignError, match=told):
        folding.parse(LAYOUT, 5, events)


def test_pieces_are_joined_up_to_the_revision() -> None:
    joiner = Joiner()
    first, second, third = (put_event(b"%d" % n, b"", main) for n, main in ((1, 5), (2, 5), (3, 6)))
    assert joiner.feed(etcd.WatchResponse(created=True)) == []
    assert joiner.feed(etcd.WatchResponse(events=[first], fragment=True)) == []
    assert joiner.feed(etcd.WatchResponse(events=[second, third], fragment=True)) == [
        (5, [first, second])
    ]
    assert joiner.feed(etcd.WatchResponse(events=[], fragment=True)) == []
    assert joiner.feed(etcd.WatchResponse(events=[])) == [(6, [third])]
    assert joiner.feed(etcd.WatchResponse(events=[])) == []


def test_a_moved_object_keeps_its_revisions() -> None:
    value = values.encode_object(values.Object(0, 3, 4, b"v"))
    kv = etcd.KeyValue(key=WHERE, value=value, mod_revision=99)
    assert folding.row(LAYOUT, Revisions(1 << 40), kv) == Row(Key("pods", "", "a"), b"v", 4, 3)
