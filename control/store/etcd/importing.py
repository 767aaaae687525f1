"""A store made in etcd from the objects of another one.

Its revisions begin a gap of 2^32 above the old ones and its history floor lies above everything
that is written here, so an old resume point gets "too old", never events of another history.
Objects keep their own revisions and creation revisions. Until the last transaction the store says
that it is being moved, and no control node starts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import Row
from holdfast.control.store.engine import StoreError
from holdfast.control.store.etcd.connection import Connection
from holdfast.control.store.etcd.planning.batches import BYTES_MAX, CHANGES_MAX, created_at, put
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.revisions import CHANGES_MAX as REVISIONS_EACH
from holdfast.control.store.etcd.stored.revisions import Revisions, after
from holdfast.control.store.etcd.stored.values import (
    Cluster,
    Head,
    Object,
    encode_cluster,
    encode_floor,
    encode_head,
    encode_object,
)
from holdfast.control.store.etcd.target import Target


async def make_store(
    target: Target, cluster_id: str, revision: int, rows: Iterable[Row]
) -> tuple[int, int]:
    """Make the store below the target's prefix: how many objects, and its revision.

    revision: of the old cluster, not below that of any row; no key twice. Raises StoreError when
    keys are there already or etcd fails; what was written then has to be deleted.
    """
    connection, layout = Connection(target), Layout(target.prefix)
    try:
        created, revisions = await _begin(connection, layout, cluster_id, revision)
        count, last = 0, created
        for some in _batches(rows):
            last = await _write(connection, layout, created, some)
            count += len(some)
        new = revisions.of(last, REVISIONS_EACH - 1)
        operations = [
            put(layout.floor, encode_floor(new)),
            put(layout.head, encode_head(Head(0, 0, new, 0, ()))),
            put(layout.cluster, encode_cluster(Cluster(cluster_id, revisions.offset))),
        ]
        await _transact(connection, layout, created, operations)
    finally:
        await connection.close()
    return count, new


async def _begin(
    connection: Connection, layout: Layout, cluster_id: str, revision: int
) -> tuple[int, Revisions]:
    """Take the prefix: etcd's revision of that, and how ours follow from etcd's."""
    there = etcd.RangeRequest(key=layout.start, range_end=layout.end, limit=1, keys_only=True)
    found = await connection.call(lambda member: member.kv.Range, there)
    if found.kvs:
        raise StoreError(
            f"{connection.target} has keys below {layout.start.decode()} already: delete them or "
            "choose another prefix"
        )
    revisions = after(revision, found.header.revision)
    cluster = Cluster(cluster_id, revisions.offset, moving=True)
    request = etcd.TxnRequest(
        compare=[created_at(layout.cluster, 0)],
        success=[put(layout.cluster, encode_cluster(cluster))],
    )
    reply = await connection.call(lambda member: member.kv.Txn, request)
    if not reply.succeeded:
        raise StoreError(f"{connection.target}: another program is making a store there")
    return reply.header.revision, revisions


async def _write(connection: Connection, layout: Layout, created: int, rows: list[Row]) -> int:
    operations = [
        put(layout.object(row.key), encode_object(Object(0, row.created, row.revision, row.value)))
        for row in rows
    ]
    return await _transact(connection, layout, created, operations)


async def _transact(
    connection: Connection, layout: Layout, created: int, operations: list[etcd.RequestOp]
) -> int:
    """Write, if the store is still the one that was begun; etcd's revision of it. It may be sent
    twice: the second time changes nothing but revisions that nobody has seen."""
    request = etcd.TxnRequest(compare=[created_at(layout.cluster, created)], success=operations)
    reply = await connection.call(lambda member: member.kv.Txn, request)
    if not reply.succeeded:
        raise StoreError(f"{connection.target}: another program deleted what was moved there")
    return int(reply.header.revision)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in transactions that etcd takes."""
    batch: list[Row] = []
    total = 0
    for row in rows:
        size = 256 + len(row.value)
        if batch and (len(batch) == CHANGES_MAX or total + size > BYTES_MAX):
            yield batch
            batch, total = [], 0
        batch.append(row)
        total += size
    if batch:
        yield batch
