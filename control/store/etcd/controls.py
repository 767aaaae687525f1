"""The control nodes of one etcd: who they are, in one key that each keeps right for itself.

Nobody needs to lead for that: a control node puts itself on the list before it follows or leads,
by compare and swap, so two of one name, or with authorities of their own, never work on one store.
The rules (`joined`, `left`) are pure; `change` applies one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.engine import FatalStoreError, StoreError
from holdfast.control.store.etcd import folding
from holdfast.control.store.etcd.connection import Connection
from holdfast.control.store.etcd.folding import ForeignError
from holdfast.control.store.etcd.planning.batches import at, put, read
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.values import Control, Controls
from holdfast.control.store.etcd.target import Target

CONTROLS_MAX = 9
"""As many as may join a group with a log of its own."""
TRIES_MAX = 20
"""Each try that fails is another control node's that did not."""


class ControlsError(StoreError):
    """The list does not allow it: one sentence that says why."""


class Held(NamedTuple):
    """What an etcd holds below a prefix. cluster_id: "" = no cluster."""

    cluster_id: str
    controls: Controls


def joined(controls: Controls, mine: Control, authority: str) -> Controls:
    """With a control node on the list, or brought up to date there. Raises ControlsError when it
    is another one's name, it has another authority, or there are too many."""
    if controls.authority not in ("", authority):
        raise ControlsError(
            "the control nodes of this etcd have another authority than this one: a new one gets "
            "theirs with --join TOKEN@HOST, in an empty data directory"
        )
    others = [one for one in controls.known if one.id != mine.id]
    if any(one.name == mine.name for one in others):
        raise ControlsError(
            f'another control node is called "{mine.name}": choose another --name, or take that '
            f"one out with `holdfast member remove {mine.name}` if it is gone for good"
        )
    if len(others) >= CONTROLS_MAX:
        raise ControlsError(f"there are {len(others)} control nodes: remove one first")
    return Controls(authority, tuple(sorted([*others, mine], key=lambda one: one.name)))


def left(controls: Controls, number: int) -> Controls:
    """Without the control node of this id."""
    return controls._replace(known=tuple(one for one in controls.known if one.id != number))


async def change(
    connection: Connection, layout: Layout, rule: Callable[[Controls], Controls]
) -> int:
    """Apply a rule to the list; etcd's revision that has the result. Raises StoreError, and what
    the rule raises."""
    for _ in range(TRIES_MAX):
        reply = await connection.call(
            lambda member: member.kv.Range, etcd.RangeRequest(key=layout.controls)
        )
        written = reply.kvs[0].mod_revision if reply.kvs else 0
        before = _decoded(connection, reply.kvs[0]) if reply.kvs else Controls()
        after = rule(before)
        if after == before:
            return int(written)
        request = etcd.TxnRequest(
            compare=[at(layout.controls, written)],
            success=[put(layout.controls, values.encode_controls(after))],
        )
        done = await connection.call(lambda member: member.kv.Txn, request)
        if done.succeeded:
            return int(done.header.revision)
    raise StoreError(f"{connection.target}: other control nodes change the list of them: try again")


async def look(target: Target) -> Held:
    """What is there. Raises StoreError."""
    connection, layout = Connection(target), Layout(target.prefix)
    try:
        request = etcd.TxnRequest(success=[read(layout.cluster), read(layout.controls)])
        reply = await connection.call(lambda member: member.kv.Txn, request)
        clusters, lists = (one.response_range.kvs for one in reply.responses)
        cluster = folding.decoded(values.decode_cluster, clusters[0]) if clusters else None
        known = _decoded(connection, lists[0]) if lists else Controls()
        return Held(cluster.cluster_id if cluster else "", known)
    except ForeignError as error:
        raise FatalStoreError(f"{target}: {error}") from error
    finally:
        await connection.close()


def _decoded(connection: Connection, kv: etcd.KeyValue) -> Controls:
    try:
        return folding.decoded(values.decode_controls, kv)
    except ForeignError as error:
        raise FatalStoreError(f"{connection.target}: {error}") from error
