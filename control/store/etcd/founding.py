"""What an etcd holds below a prefix when a control node starts: its cluster, or none yet.

One that is not there is founded, by one transaction that only one control node's wins; a cluster
that is another one, or half moved, is refused.
"""

from __future__ import annotations

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.engine import FatalStoreError, StoreError
from holdfast.control.store.etcd.connection import Connection
from holdfast.control.store.etcd.planning.batches import created_at, put
from holdfast.control.store.etcd.replica import Replica
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.target import Target


async def load(
    connection: Connection, target: Target, layout: Layout, new: str, wanted: str
) -> Replica:
    """The cluster in memory. new: what it is called if there is none yet, "" = there must be.
    wanted: what one that is there must be called, unless it is "". Raises StoreError."""
    replica = Replica(connection, layout)
    await replica.load()
    if not (replica.cluster.cluster_id or new):
        raise StoreError(f"{target} holds no cluster below /{target.prefix}")
    if not replica.cluster.cluster_id:
        await _found(connection, layout, wanted or new)
        replica = Replica(connection, layout)
        await replica.load()
    found = replica.cluster.cluster_id
    if wanted and found != wanted:
        raise FatalStoreError(
            f"{target} holds cluster {found} below /{target.prefix}, not {wanted}: "
            "choose another prefix"
        )
    if replica.cluster.moving:
        raise FatalStoreError(
            f"{target} holds a cluster below /{target.prefix} whose move did not "
            "end: delete those keys and move it again"
        )
    return replica


async def _found(connection: Connection, layout: Layout, cluster_id: str) -> None:
    """Make an empty store, unless another control node just did."""
    cluster, head = values.Cluster(cluster_id), values.Head(0, 0, 0, 0, ())
    request = etcd.TxnRequest(
        compare=[created_at(layout.cluster, 0), created_at(layout.head, 0)],
        success=[
            put(layout.cluster, values.encode_cluster(cluster)),
            put(layout.head, values.encode_head(head)),
        ],
    )
    await connection.call(lambda member: member.kv.Txn, request)
