"""What keeps etcd small: the leader moves the history floor along, and compacts behind it.

etcd compacts as a whole, for all who use it. One step below the floor's own revision is kept, so
that a floor inside a transaction still has the rest of it. Every control node asks for etcd's size.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.engine import StoreError
from holdfast.control.store.etcd.connection import CompactedError, Connection
from holdfast.control.store.etcd.replica import Replica
from holdfast.control.store.history import SAMPLE_S, Samples

log = structlog.get_logger()


class Upkeep:
    """The task `run`; `due` wakes it before its time."""

    def __init__(
        self, connection: Connection, replica: Replica, compact: Callable[[int], Awaitable[None]],
        leads: Callable[[], bool],
    ) -> None:  # fmt: skip
        """compact: makes a new floor and returns when it is applied; while this one leads."""
        self.database_bytes = 0
        self._connection = connection
        self._replica = replica
        self._compact = compact
        self._leads = leads
        self._compacted = 0
        self._samples = Samples()
        self._due = asyncio.Event()  # set by `due`; `run` waits

    def due(self) -> None:
        """The floor was moved: compact now."""
        self._due.set()

    async def run(self) -> None:
        """Work until cancelled."""
        sampled = float("-inf")
        now = asyncio.get_running_loop().time
        while True:
            try:
                if now() >= sampled + SAMPLE_S:
                    sampled = now()
                    await self._sample(sampled)
                if self._leads():
                    await self._compact_behind()
            except StoreError as error:  # the next round tries again
                log.warning("store upkeep put off", error=str(error))
            self._due.clear()
            try:
                async with asyncio.timeout(max(0.0, sampled + SAMPLE_S - now())):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _sample(self, now: float) -> None:
        """Note where etcd is, and move the floor if it is this one's task. History is counted in
        etcd's revisions: ours are up to 128 times as many and mostly not there."""
        reply = await self._connection.call(
            lambda member: member.maintenance.Status, etcd.StatusRequest()
        )
        self.database_bytes = reply.dbSize
        revisions, image = self._replica.revisions, self._replica.image
        main, floor = revisions.main(image.revision), max(0, revisions.main(image.floor))
        self._samples.add(now, main)
        wanted = self._samples.floor_wanted(now, main, floor)
        if wanted > floor and self._leads():
            await self._compact(revisions.of(wanted))

    async def _compact_behind(self) -> None:
        main = self._replica.revisions.main(self._replica.image.floor) - 1
        if main <= max(self._compacted, self._replica.created):
            return
        request = etcd.CompactionRequest(revision=main)
        try:
            await self._connection.call(lambda member: member.kv.Compact, request)
        except CompactedError:
            log.info("etcd was compacted already", revision=main)
        self._compacted = main
