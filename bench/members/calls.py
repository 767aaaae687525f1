"""The client's side: the same channel, the same connections, to our members and to etcd.

`Ours` (whatever engine the member has) and `Etcd` (its KV) write single objects and batches to one
member, which should be the leader's; `leader` finds it. A write while nobody leads is tried again,
which does no harm, and is counted.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Sequence
from typing import Any, Protocol

import grpc

from bench.members import service
from bench.members.processes import Processes
from bench.members.tls import CLIENT, calling
from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.api.transport.channel import Channel
from holdfast.control.store import records
from holdfast.control.store.commands import ANY, Commit, Key, Write

CONNECTIONS = 8
CALL_S = 5.0
READY_S = 30.0
AGAIN_S = 0.05
AGAIN_FOR_S = 20.0
AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""What an overloaded group says while its leadership is lost and taken anew."""


class Writer(Protocol):
    """Writes through some of its connections. Raises AioRpcError. retried: calls tried again."""

    retried: int

    async def put(self, worker: int, name: str, value: bytes) -> None:
        """One object."""

    async def batch(self, worker: int, names: Sequence[str], value: bytes) -> None:
        """Several objects at once."""

    async def each(self, worker: int, names: Sequence[str], value: bytes) -> None:
        """Several objects at once, each with a revision and an outcome of its own."""

    async def close(self) -> None:
        """End the connections."""


class _Connected:
    """Connections to one member."""

    def __init__(self, address: str, tls: ssl.SSLContext, connections: int = CONNECTIONS) -> None:
        self._channels = [Channel(address, tls) for _ in range(connections)]
        self.retried = 0

    async def _answered(self, methods: Sequence[Any], worker: int, request: Any) -> Any:
        """Call through a worker's connection until there is an answer. Raises AioRpcError."""
        method, ends = methods[worker % len(methods)], time.monotonic() + AGAIN_FOR_S
        while True:
            try:
                return await method(request, timeout=CALL_S)
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN or time.monotonic() > ends:
                    raise
            self.retried += 1
            await asyncio.sleep(AGAIN_S)

    async def close(self) -> None:
        """See Writer."""
        for channel in self._channels:
            await channel.close()


class Ours(_Connected):
    """Commits to a member of ours."""

    def __init__(self, address: str, tls: ssl.SSLContext, connections: int = CONNECTIONS) -> None:
        super().__init__(address, tls, connections)
        self._commits = [channel.unary_unary(service.COMMIT) for channel in self._channels]

    async def put(self, worker: int, name: str, value: bytes) -> None:
        """See Writer."""
        await self.batch(worker, (name,), value)

    async def batch(self, worker: int, names: Sequence[str], value: bytes) -> None:
        """See Writer."""
        writes = [Write(Key(service.RESOURCE, "", name), value, ANY) for name in names]
        data = records.encode([Commit(b"", writes)])
        reply = await self._answered(self._commits, worker, data)
        assert len(reply) == 8 * len(names)

    each = batch


class Etcd(_Connected):
    """Puts to a member of etcd; a batch is one transaction."""

    def __init__(self, address: str, tls: ssl.SSLContext, connections: int = CONNECTIONS) -> None:
        super().__init__(address, tls, connections)
        self._puts = [_method(channel, "Put", etcd.PutResponse) for channel in self._channels]
        self._txns = [_method(channel, "Txn", etcd.TxnResponse) for channel in self._channels]

    async def put(self, worker: int, name: str, value: bytes) -> None:
        """See Writer."""
        request = etcd.PutRequest(key=name.encode(), value=value)
        await self._answered(self._puts, worker, request)

    async def batch(self, worker: int, names: Sequence[str], value: bytes) -> None:
        """See Writer."""
        request = etcd.TxnRequest()
        for name in names:
            put = request.success.add().request_put
            put.key, put.value = name.encode(), value
        reply = await self._answered(self._txns, worker, request)
        assert reply.succeeded

    async def each(self, worker: int, names: Sequence[str], value: bytes) -> None:
        """See Writer: so many puts."""
        await asyncio.gather(*(self.put(worker + at, name, value) for at, name in enumerate(names)))


def _method(channel: Channel, name: str, reply: Any) -> Any:
    path = f"/etcdserverpb.KV/{name}"
    return channel.unary_unary(path, lambda one: one.SerializeToString(), reply.FromString)


def tls(group: Processes) -> ssl.SSLContext:
    """As a client of this group."""
    return calling(group.folder, CLIENT)


async def stand(channel: Channel) -> dict[str, Any]:
    """How a member of ours stands. Raises AioRpcError."""
    found: dict[str, Any] = json.loads(await channel.unary_unary(service.STAND)(b"", timeout=1.0))
    return found


async def leader(group: Processes, *, of_etcd: bool = False) -> int:
    """The number of the member that leads; waits for it. Raises RuntimeError."""
    context = tls(group)
    channels = [Channel(address, context) for address in group.addresses]
    try:
        async with asyncio.timeout(READY_S):
            while True:
                for number, channel in enumerate(channels, 1):
                    if await leads(channel, of_etcd=of_etcd):
                        return number
                if ended := group.ended():
                    raise RuntimeError(f"member {ended[0]} ended: {group.log(ended[0])}")
                await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        raise RuntimeError(f"nobody leads: {group.log(1)}") from None
    finally:
        for channel in channels:
            await channel.close()


async def leads(channel: Channel, *, of_etcd: bool = False) -> bool:
    """Whether the member at the other end says that it leads."""
    try:
        if not of_etcd:
            return bool((await stand(channel))["leads"])
        status = channel.unary_unary(
            "/etcdserverpb.Maintenance/Status",
            lambda one: one.SerializeToString(),
            etcd.StatusResponse.FromString,
        )
        reply = await status(etcd.StatusRequest(), timeout=1.0)
    except grpc.aio.AioRpcError:
        return False
    return bool(reply.leader == reply.header.member_id != 0)
