"""Messages between control nodes over gRPC: the Transport of production.

Calls out go by `Peer`; calls in come through `handler`, which a server of the control node takes.
A call in is admitted when its certificate, checked by TLS and `identify`, says the member that
the call says, when both are of one cluster, and when the member was not removed. Where a caller
can be reached is in the call too, so that a member that joins can answer its leader before it has
any state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import structlog

from holdfast.control.raft.messages import Message, MessageType
from holdfast.control.raft.shell.seams import Port, SnapshotLostError
from holdfast.control.raft.wire import codec
from holdfast.control.raft.wire.peer import REMOVED, Credentials, Peer

log = structlog.get_logger()

NAME = "holdfast.api.raft.v1.Raft"
CLUSTER, FROM, TO, ADDRESS = (
    "holdfast-cluster", "holdfast-from", "holdfast-to", "holdfast-address"
)  # fmt: skip

Context = grpc.aio.ServicerContext[Any, Any]
Identify = Callable[[Context], Awaitable[int]]
"""The member that the caller's certificate names; raises an error for a caller that is none."""


class RefusedError(Exception):
    """A call that is not admitted: one sentence."""


class RemovedError(Exception):
    """A call of somebody who was removed from the group: one sentence, so that it knows."""


class GrpcTransport:
    """A Transport. address: where the others reach this member."""

    def __init__(self, address: str, credentials: Credentials, identify: Identify) -> None:
        """credentials: for a call out, asked at each new connection."""
        self._address = address
        self._credentials = credentials
        self._identify = identify
        self._port: Port | None = None
        self._known: Mapping[int, str] = {}
        self._heard: dict[int, str] = {}  # where callers said they are
        self._peers: dict[int, Peer] = {}
        self._leaving: dict[asyncio.Task[None], None] = {}  # ends of streams to who is elsewhere

    async def attach(self, port: Port) -> None:
        """See Transport."""
        self._port = port

    async def detach(self) -> None:
        """See Transport."""
        self._port = None
        peers, self._peers = self._peers, {}
        for peer in peers.values():
            self._leave(peer)
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def peers(self, addresses: Mapping[int, str]) -> None:
        """See Transport. The streams to who was removed end."""
        self._known = addresses
        for member in [one for one in self._peers if one not in addresses]:
            if self._port is not None and not self._port.admits(member):
                self._leave(self._peers.pop(member))

    def _leave(self, peer: Peer) -> None:
        task = asyncio.create_task(peer.close())
        self._leaving[task] = None
        task.add_done_callback(lambda done: self._leaving.pop(done, None))

    def send(self, messages: Sequence[Message]) -> None:
        """See Transport."""
        for message in messages:
            peer = self._peer(message.to)
            if peer is not None:
                peer.put(message)

    def send_snapshot(self, message: Message) -> None:
        """See Transport."""
        peer = self._peer(message.to)
        if peer is not None:
            peer.put_snapshot(message)
        elif self._port:
            self._port.snapshot_sent(message.to, done=False)

    def _peer(self, member: int) -> Peer | None:
        """The streams to a member; None when nobody knows where it is."""
        port = self._port
        address = self._known.get(member) or self._heard.get(member, "")
        if port is None or not address:
            return None
        peer = self._peers.get(member)
        if peer is None or peer.address != address:
            if peer is not None:
                self._leave(peer)
            metadata = (
                (CLUSTER, port.cluster_id),
                (FROM, f"{port.member:x}"),
                (TO, f"{member:x}"),
                (ADDRESS, self._address),
            )
            peer = self._peers[member] = Peer(member, address, port, self._credentials, metadata)
        return peer

    def handler(self) -> grpc.GenericRpcHandler:
        """The service's methods for a server."""
        methods: dict[str, Any] = {
            name: grpc.stream_stream_rpc_method_handler(self._door(method))
            for name, method in (
                ("Beats", self._messages), ("Appends", self._messages), ("Snapshot", self._snapshot)
            )
        }  # fmt: skip
        return grpc.method_handlers_generic_handler(NAME, methods)

    def _door(self, method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def handle(requests: AsyncIterator[bytes], context: Context) -> None:
            try:
                port, sender = await self._admit(context)
                await method(port, sender, requests, context)
            except RemovedError as error:
                await context.abort(REMOVED, str(error))
            except RefusedError as error:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
            except (codec.CodecError, SnapshotLostError) as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

        return handle

    async def _admit(self, context: Context) -> tuple[Port, int]:
        port = self._port
        said = {
            key: value
            for key, value in context.invocation_metadata() or ()
            if isinstance(value, str)
        }
        try:
            sender, to = int(said[FROM], 16), int(said[TO], 16)
        except (KeyError, ValueError):
            raise RefusedError("the call does not say from whom and to whom it is") from None
        if port is None:
            raise RefusedError("this control node is not in a group")
        if said.get(CLUSTER) != port.cluster_id or to != port.member:
            raise RefusedError(
                f"this is member {port.member:x} of cluster {port.cluster_id}, "
                f"not member {to:x} of cluster {said.get(CLUSTER)}"
            )
        if await self._identify(context) != sender:
            raise RefusedError(f"the certificate is not that of member {sender:x}")
        self._require(port, sender)
        self._heard[sender] = said.get(ADDRESS, "")
        return port, sender

    def _require(self, port: Port, sender: int) -> None:
        if not port.admits(sender):
            raise RemovedError(f"member {sender:x} was removed from the group")

    async def _messages(
        self, port: Port, sender: int, requests: AsyncIterator[bytes], _context: Context
    ) -> None:
        async for data in requests:
            self._require(port, sender)
            for message in codec.decode(data):
                if message.sender != sender or message.type is MessageType.SNAP:
                    raise codec.CodecError(f"member {sender:x} speaks for somebody else")
                port.receive(message)

    async def _snapshot(
        self, port: Port, sender: int, requests: AsyncIterator[bytes], _context: Context
    ) -> None:
        head = await anext(requests, b"")
        message = codec.decode_head(head)
        if message.sender != sender or message.type is not MessageType.SNAP:
            raise codec.CodecError(f"member {sender:x} sent no snapshot of its own")

        async def pieces() -> AsyncIterator[bytes]:
            async for data in requests:
                yield codec.decode_piece(data)

        await port.take_snapshot(message, pieces())
