"""What goes into one transaction: commits judged, packed and written as etcd's request.

A `Batch` takes commits until the next one does not fit or needs to know what this transaction
does: then the writer sends it and begins another. `split` cuts large batches before. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import Commit, Key, Result, size
from holdfast.control.store.etcd.image import Image
from holdfast.control.store.etcd.planning.judging import Planned, judge
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.values import (
    Head,
    Object,
    encode_floor,
    encode_head,
    encode_object,
    encode_results,
    own,
)

CHANGES_MAX = 120
"""etcd takes 128 operations a transaction unless told otherwise; head, results, floor are three."""
COMMITS_MAX = 128
BYTES_MAX = 1 << 20
"""Of values; etcd takes requests of 1.5 MiB unless told otherwise. A lone commit may be larger."""
PART_WRITES_MAX = 100
PART_BYTES_MAX = 512 << 10


class Fence(NamedTuple):
    """What must hold for a transaction: this term leads, nothing was written since this head."""

    term: int
    head_main: int


class Batch:
    """The commits of one transaction, the number-th of the store, made in a term."""

    def __init__(self, image: Image, term: int, number: int) -> None:
        self._image = image
        self._term = term
        self.number = number
        self._changes: list[Planned] = []
        self._counts: list[int] = []
        self._results: list[tuple[bytes, Result]] = []
        self._commits = 0
        self._bytes = 0
        self._touched: set[Key] = set()
        self._ids: set[bytes] = set()
        self._floor: int | None = None
        self.opening = False
        """True: written even if empty, as the first transaction of a term."""

    def add(self, commit: Commit, total: int) -> Result | None:
        """Judge a commit of so many bytes and take its changes; None: it belongs into the next.

        The result's revisions may be stand-ins (`values.own`).
        """
        if self._commits and not self._fits(commit, total):
            return None
        first = len(self._changes)
        before = own(first - 1) if first else self._image.revision
        result, changes = judge(self._image, self._term, commit, before, first)
        self._changes += changes
        self._touched.update(change.key for change in changes)
        self._commits += 1
        self._bytes += total
        if changes:
            self._counts.append(len(changes))
        if commit.id:
            self._ids.add(commit.id)
            self._results.append((commit.id, result))
        return result

    def _fits(self, commit: Commit, total: int) -> bool:
        return (
            self._commits < COMMITS_MAX
            and len(self._changes) + len(commit.writes) <= CHANGES_MAX
            and self._bytes + total <= BYTES_MAX
            and commit.id not in self._ids
            and self._touched.isdisjoint(write.key for write in commit.writes)
            and self._touched.isdisjoint(compare.key for compare in commit.compares)
        )

    def raise_floor(self, floor: int) -> None:
        """Raise the history floor, never above the revision and never down."""
        floor = min(floor, self._image.revision)
        if floor > max(self._image.floor, self._floor or 0):
            self._floor = floor

    @property
    def writes(self) -> bool:
        """False: the transaction would only confirm refusals."""
        return bool(self.opening or self._changes or self._results or self._floor is not None)

    def request(self, layout: Layout, fence: Fence) -> etcd.TxnRequest:
        """The transaction. When its compares fail it answers with the leader's key and the head."""
        request = etcd.TxnRequest(
            compare=[created_at(layout.leader, fence.term), at(layout.head, fence.head_main)],
            failure=[read(layout.leader), read(layout.head)],
        )
        if self.writes:
            request.success.extend(self._operations(layout))
        return request

    def _operations(self, layout: Layout) -> Iterator[etcd.RequestOp]:
        image = self._image
        counts = tuple(self._counts)
        head = Head(self._term, self.number, image.revision, image.checksum, counts)
        yield put(layout.head, encode_head(head))
        if self._results:
            yield put(layout.result(self.number), encode_results(self.number, self._results))
        if self._floor is not None:
            yield put(layout.floor, encode_floor(self._floor))
        for sub, (key, value, created) in enumerate(self._changes):
            where = layout.object(key)
            if value is None:
                yield etcd.RequestOp(request_delete_range=etcd.DeleteRangeRequest(key=where))
            else:
                yield put(where, encode_object(Object(sub, created, 0, value)))


def put(key: bytes, value: bytes, lease: int = 0) -> etcd.RequestOp:
    """The operation that writes a key."""
    return etcd.RequestOp(request_put=etcd.PutRequest(key=key, value=value, lease=lease))


def read(key: bytes) -> etcd.RequestOp:
    """The operation that reads a key."""
    return etcd.RequestOp(request_range=etcd.RangeRequest(key=key))


def created_at(key: bytes, main: int) -> etcd.Compare:
    """Holds when the key was created at this revision of etcd's; 0: when it is not there."""
    return etcd.Compare(target=etcd.Compare.CREATE, key=key, create_revision=main)


def at(key: bytes, main: int) -> etcd.Compare:
    """Holds when the key was last written at this revision of etcd's."""
    return etcd.Compare(target=etcd.Compare.MOD, key=key, mod_revision=main)


def split(commit: Commit) -> Iterator[tuple[Commit, int, int]]:
    """A batch as parts within PART_*_MAX and without a key twice, each with its number of writes
    and bytes; any other commit as it is. The parts of an equal batch are equal, ids too, so a
    repeated batch is answered or tried part by part."""
    sizes = [size(write) for write in commit.writes]
    ends = [len(sizes)] if commit.atomic else _ends(commit, sizes)
    if len(ends) == 1:
        yield commit, len(sizes), sum(sizes) + 64
        return
    start = 0
    for number, end in enumerate(ends):
        own_id = commit.id + number.to_bytes(4, "big") if commit.id else b""
        part = replace(commit, id=own_id, writes=commit.writes[start:end])
        yield part, end - start, sum(sizes[start:end]) + 64
        start = end


def _ends(commit: Commit, sizes: Sequence[int]) -> list[int]:
    """Where the parts of a batch end."""
    ends: list[int] = []
    start = total = 0
    keys: set[Key] = set()
    for place, write in enumerate(commit.writes):
        full = place - start == PART_WRITES_MAX or total + sizes[place] > PART_BYTES_MAX
        if place > start and (full or write.key in keys):
            ends.append(place)
            start, total = place, 0
            keys.clear()
        total += sizes[place]
        keys.add(write.key)
    return [*ends, len(commit.writes)]
