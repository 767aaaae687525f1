"""Watches: the events of all our keys from a revision on, revision by revision.

`Joiner` puts answers together (pure); `events` is one stream to one member and ends by an error
whatever happens to it: who calls opens the next one behind the last revision it saw. The stream
is opened so that a member without a leader ends it, and without etcd's progress notices: those of
3.4 may come before events that are older.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.etcd.connection import Connection, UnreachableError
from holdfast.control.store.etcd.folding import of_revisions
from holdfast.control.store.etcd.stored.layout import Layout

REQUIRE_LEADER = ("hasleader", "true")

Revision = tuple[int, list[etcd.Event]]


class FloorError(Exception):
    """etcd compacted what the watch wants. oldest: the first revision it still has."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"compacted up to {oldest}")
        self.oldest = oldest


class Joiner:
    """Answers of one watch in, whole revisions out: a large one may come in several pieces, and
    its last revision is whole only when a later one or the end of the answer is seen."""

    def __init__(self) -> None:
        self._rest: list[etcd.Event] = []

    def feed(self, reply: etcd.WatchResponse) -> list[Revision]:
        """The revisions that are whole now."""
        found = of_revisions([*self._rest, *reply.events])
        self._rest = found.pop()[1] if reply.fragment and found else []
        return found


async def events(
    connection: Connection, layout: Layout, start: int, *, before: bool = False
) -> AsyncGenerator[list[Revision], None]:
    """The revisions of etcd's from `start` on that wrote our keys, for ever.

    before: with the values that were there. Raises UnreachableError (open it again), FloorError,
    StoreError.
    """
    member = connection.member
    create = etcd.WatchCreateRequest(
        key=layout.start, range_end=layout.end, start_revision=start, prev_kv=before, fragment=True
    )
    joiner = Joiner()
    call: Any = None
    try:
        metadata = (*(await connection.metadata(member)), REQUIRE_LEADER)
        call = member.watch.Watch(metadata=metadata)
        await call.write(etcd.WatchRequest(create_request=create))
        async for reply in call:
            if reply.canceled and reply.compact_revision:
                raise FloorError(reply.compact_revision)
            if reply.canceled:
                connection.forget_token()  # one that ran out is told as "permission denied"
                text = reply.cancel_reason or "it ended the watch"
                raise UnreachableError(f"{connection.target}: {text}")
            if revisions := joiner.feed(reply):
                yield revisions
        raise UnreachableError(f"{connection.target} ended the watch")
    except grpc.aio.AioRpcError as error:
        connection.leave(member)
        raise connection.told(error, member) from error
    except asyncio.InvalidStateError as error:  # the stream had ended before the write
        connection.leave(member)
        raise UnreachableError(f"{connection.target} ended the watch") from error
    finally:
        if call:
            call.cancel()


async def between(
    connection: Connection, layout: Layout, start: int, end: int
) -> AsyncGenerator[Revision, None]:
    """The revisions from `start` to `end`, which wrote one of our keys, with what was there before.
    Raises as `events`."""
    async with aclosing(events(connection, layout, start, before=True)) as stream:
        async for revisions in stream:
            for revision in revisions:
                if revision[0] > end:
                    return
                yield revision
                if revision[0] == end:
                    return
