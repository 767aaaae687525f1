"""Who leads: the control node whose key stands, on a lease that it keeps alive.

Its term is the create revision of that key, which never comes back: every transaction compares it,
so one who lost the lease and does not know it yet can write nothing. `run` waits until nobody
leads, takes the key, lets the writer run the term, and starts over when it is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import grpc.aio
import structlog

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.engine import FatalStoreError, NotLeaderError, StoreError
from holdfast.control.store.etcd.connection import (
    PAUSE_MAX_S,
    PAUSE_S,
    Connection,
    UnreachableError,
)
from holdfast.control.store.etcd.planning.batches import created_at, put, read
from holdfast.control.store.etcd.replica import Replica
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.writer import NOT_BEGUN, LostError, Writer

log = structlog.get_logger()

LEASE_S = 2
"""etcd grants no shorter one at its usual election timeout of 1 s."""
BEATS = 4
"""So many times in the life of a lease it is renewed."""
SILENT_LEASES = 2
"""After so many lives of the lease without an answer the term is given up: others may lead."""
GOODBYE_S = 1.0


class Leadership:
    """The task `run`; `resign` at the end."""

    def __init__(
        self, connection: Connection, layout: Layout, replica: Replica, writer: Writer,
        me: values.Leader,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._layout = layout
        self._replica = replica
        self._writer = writer
        self._me = me
        self._lease = 0

    async def run(self, moved: Callable[[int], None]) -> None:
        """Lead whenever nobody does, until cancelled. moved: told the term when it begins, after
        its first transaction is applied, and 0 when it is over. Raises FatalStoreError."""
        pause = PAUSE_S
        while True:
            while self._replica.term:
                await self._replica.leader_moved()
            try:
                term = await self._campaign()
                pause = PAUSE_S
                if term:
                    await self._lead(term, moved)
            except FatalStoreError:
                raise
            except StoreError as error:
                log.warning("no leadership taken", error=str(error))
                pause = min(2 * pause, PAUSE_MAX_S)
            await self.resign()
            await asyncio.sleep(pause)

    async def resign(self) -> None:
        """Give the lease back, so that another one can lead at once."""
        lease, self._lease = self._lease, 0
        if not lease:
            return
        request = etcd.LeaseRevokeRequest(ID=lease)
        try:
            await self._connection.call(lambda member: member.lease.LeaseRevoke, request, GOODBYE_S)
        except StoreError as error:  # it ends by itself
            log.info("lease not given back", error=str(error))

    async def _campaign(self) -> int:
        """Take a lease and the leader's key; the term, 0 when another one has it."""
        grant = etcd.LeaseGrantRequest(TTL=LEASE_S)
        granted = await self._connection.call(lambda member: member.lease.LeaseGrant, grant)
        self._lease = granted.ID
        key = self._layout.leader
        request = etcd.TxnRequest(
            compare=[created_at(key, 0)],
            success=[put(key, values.encode_leader(self._me), granted.ID)],
            failure=[read(key)],
        )
        reply = await self._connection.call(lambda member: member.kv.Txn, request)
        if reply.succeeded:
            return int(reply.header.revision)
        kvs = reply.responses[0].response_range.kvs
        mine = kvs and kvs[0].lease == granted.ID  # made, but its answer was lost
        return int(kvs[0].create_revision) if mine else 0

    async def _lead(self, term: int, moved: Callable[[int], None]) -> None:
        """One term, until it is lost."""
        log.info("leading", term=term)

        def began() -> None:
            moved(term)

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep(self._lease))
                tasks.create_task(self._watch(term))
                tasks.create_task(self._writer.run(term, began))
        except* LostError:
            log.warning("leadership lost", term=term)
        except* FatalStoreError as group:
            raise group.exceptions[0] from None
        finally:
            self._writer.refuse(NotLeaderError(NOT_BEGUN))
            moved(0)

    async def _watch(self, term: int) -> None:
        """End the term when the key is seen to be another's or gone."""
        await self._replica.until(term)
        while self._replica.term == term:
            await self._replica.leader_moved()
        raise LostError

    async def _keep(self, lease: int) -> None:
        """Keep the lease alive. Raises LostError when it is gone or long unheard of."""
        now = asyncio.get_running_loop().time
        heard = now()

        def answered(sent: float) -> None:
            nonlocal heard
            heard = sent

        while now() < heard + SILENT_LEASES * LEASE_S:
            try:
                await self._keep_on(lease, answered)
            except (StoreError, TimeoutError) as error:
                log.info("lease renewal is tried again", error=repr(error))
            await asyncio.sleep(PAUSE_S)
        raise LostError

    async def _keep_on(self, lease: int, answered: Callable[[float], None]) -> None:
        """Renew at one member until it fails. Raises StoreError, TimeoutError, LostError."""
        now = asyncio.get_running_loop().time
        connection, member = self._connection, self._connection.member
        call = None
        try:
            call = member.lease.LeaseKeepAlive(metadata=await connection.metadata(member))
            while True:
                sent = now()
                async with asyncio.timeout(LEASE_S / BEATS):
                    await call.write(etcd.LeaseKeepAliveRequest(ID=lease))
                    reply = await call.read()
                if not isinstance(reply, etcd.LeaseKeepAliveResponse):
                    raise UnreachableError(f"{connection.target} ended the renewal")
                if reply.TTL <= 0:
                    raise LostError
                answered(sent)
                await asyncio.sleep(LEASE_S / BEATS)
        except grpc.aio.AioRpcError as error:
            connection.leave(member)
            raise connection.told(error, member) from error
        except asyncio.InvalidStateError as error:  # the stream had ended before the write
            connection.leave(member)
            raise UnreachableError(f"{connection.target} ended the renewal") from error
        except TimeoutError:
            connection.leave(member)
            raise
        finally:
            if call:
                call.cancel()
