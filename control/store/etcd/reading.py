"""Reads of etcd beside the watch: the whole store at a start, pages at old revisions, history.

All see etcd linearizably at a fixed revision, so a member that lags waits rather than answers
with less.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.engine import StoreError
from holdfast.control.store.etcd import folding
from holdfast.control.store.etcd.connection import (
    PAUSE_MAX_S,
    Connection,
    UnreachableError,
)
from holdfast.control.store.etcd.planning.batches import read
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.revisions import CHANGES_MAX, Revisions
from holdfast.control.store.etcd.watching import between

LOAD_BYTES = 1 << 20
"""About so much is asked for at once; the number of keys follows their size."""
LOAD_KEYS_MAX = 1_000
HISTORY_S = 30.0
"""etcd gathers a thousand transactions before it says the first of them."""
HISTORY_BYTES = 16 << 20


async def everything(
    connection: Connection, layout: Layout
) -> AsyncGenerator[tuple[int, list[etcd.KeyValue]], None]:
    """All keys of the store at one revision of etcd's, which is given with each slice, in order of
    keys. Raises StoreError; CompactedError when it took longer than history is kept."""
    start, revision, limit = layout.start, 0, LOAD_KEYS_MAX // 10
    while True:
        request = etcd.RangeRequest(key=start, range_end=layout.end, limit=limit, revision=revision)
        reply = await connection.call(lambda member: member.kv.Range, request)
        revision = revision or reply.header.revision
        kvs = list(reply.kvs)
        yield revision, kvs
        if not reply.more or not kvs:
            return
        start = kvs[-1].key + b"\0"
        each = reply.ByteSize() // len(kvs) + 1
        limit = max(1, min(LOAD_KEYS_MAX, LOAD_BYTES // each))


async def page(
    connection: Connection, layout: Layout, revisions: Revisions, scope: tuple[str, str],
    revision: int, after: Key | None, limit: int,
) -> list[Row]:  # fmt: skip
    """Objects as they were at a revision of ours; see Engine.page. scope: resource, namespace.

    Raises CompactedError, StoreError.
    """
    main = revisions.main(revision)
    if main < 1:
        return []
    start, end = layout.scope(*scope, after)
    wanted = etcd.RangeRequest(key=start, range_end=end, limit=limit, revision=main)
    head = etcd.RangeRequest(key=layout.head, revision=main)
    request = etcd.TxnRequest(
        success=[etcd.RequestOp(request_range=wanted), etcd.RequestOp(request_range=head)]
    )
    reply = await connection.call(lambda member: member.kv.Txn, request)
    found, heads = (one.response_range for one in reply.responses)
    rows = [folding.row(layout, revisions, kv) for kv in found.kvs]
    if not heads.kvs or heads.kvs[0].mod_revision != main:
        return rows
    counts = folding.decoded(values.decode_head, heads.kvs[0]).counts
    if sum(counts) <= revisions.sub(revision) + 1:
        return rows
    return await _inside(connection, layout, revisions, scope, revision, after, limit)


async def _inside(
    connection: Connection, layout: Layout, revisions: Revisions, scope: tuple[str, str],
    revision: int, after: Key | None, limit: int,
) -> list[Row]:  # fmt: skip
    """A page at a revision inside a transaction: the page before it, and what came until then."""
    main = revisions.main(revision)
    before = revisions.of(main - 1, CHANGES_MAX - 1)
    done = [
        change
        for change in await history(
            connection, layout, revisions, before, (main, main), CHANGES_MAX
        )
        if change.revision <= revision and _within(change.key, scope, after)
    ]
    rows = await page(connection, layout, revisions, scope, before, after, limit + len(done))
    merged = {row.key: row for row in rows}
    for change in done:
        merged.pop(change.key, None)
        if change.value is not None:
            row = Row(change.key, change.value, change.revision, change.created)
            merged[change.key] = row
    return [merged[key] for key in sorted(merged)][:limit]


def _within(key: Key, scope: tuple[str, str], after: Key | None) -> bool:
    resource, namespace = scope
    fits = key.resource == resource and namespace in ("", key.namespace)
    return fits and (after is None or key > after)


async def history(
    connection: Connection, layout: Layout, revisions: Revisions, after: int, span: tuple[int, int],
    limit: int,
) -> list[Change]:  # fmt: skip
    """The changes above a revision of ours; after about `limit` of them, or HISTORY_BYTES, it ends
    with the transaction. span: etcd's revisions in which they are; the last one wrote one of our
    keys. Raises FloorError, ForeignError, StoreError."""
    carried = folding.carried(layout, revisions)
    found: list[Change] = []
    total = 0
    start, end = max(span[0], revisions.main(after + 1)), span[1]
    now = asyncio.get_running_loop().time
    give_up = now() + HISTORY_S
    while start <= end and len(found) < limit and total < HISTORY_BYTES:
        try:
            async with asyncio.timeout_at(give_up):
                async with aclosing(between(connection, layout, start, end)) as stream:
                    async for main, events in stream:
                        seen = folding.parse(layout, main, events)
                        for commit in folding.commits(layout, revisions, seen, carried):
                            found += [change for change in commit if change.revision > after]
                            total += sum(len(change.value or b"") for change in commit)
                        start = main + 1
                        if len(found) >= limit or total >= HISTORY_BYTES:
                            break
        except TimeoutError as error:
            if found:
                break
            raise UnreachableError(f"{connection.target} gives no history") from error
        except UnreachableError:
            if now() >= give_up:
                raise
            await asyncio.sleep(PAUSE_MAX_S)
    return found


async def newest(connection: Connection, layout: Layout, patience_s: float) -> int:
    """etcd's revision of the newest transaction, read linearizably. Raises StoreError."""
    request = etcd.TxnRequest(success=[read(layout.head)])
    reply = await connection.call(lambda member: member.kv.Txn, request, patience_s)
    kvs = reply.responses[0].response_range.kvs
    if not kvs:
        raise StoreError(f"{connection.target}: the store below {layout.start!r} is gone")
    return int(kvs[0].mod_revision)
