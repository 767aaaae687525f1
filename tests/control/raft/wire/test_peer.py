"""Which stream a message takes: what must stay in order is on one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc

from holdfast.api.transport.server import Server
from holdfast.control.raft.messages import Entry, EntryType, Message, MessageType
from holdfast.control.raft.shell.seams import Port
from holdfast.control.raft.wire import codec
from holdfast.control.raft.wire.peer import Peer
from holdfast.control.raft.wire.transport import NAME


class Heard(asyncio.Event):
    """A server of the service that keeps what came on each stream; set when all has come."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.streams: dict[str, list[Message]] = {"Beats": [], "Appends": []}
        self._left = count

    def handler(self) -> grpc.GenericRpcHandler:
        methods: dict[str, Any] = {
            name: grpc.stream_stream_rpc_method_handler(self._method(came))
            for name, came in self.streams.items()
        }
        return grpc.method_handlers_generic_handler(NAME, methods)

    def _method(self, came: list[Message]) -> Any:
        async def method(requests: AsyncIterator[bytes], _context: Any) -> None:
            async for data in requests:
                found = codec.decode(data)
                came.extend(found)
                self._left -= len(found)
                if not self._left:
                    self.set()

        return method


async def test_an_empty_append_does_not_overtake_one_with_entries() -> None:
    sent = [
        Message(kind, to=2, sender=1, term=1, entries=entries)
        for kind, entries in (
            (MessageType.APP, [Entry(1, 1, EntryType.NORMAL, b"a")]),
            (MessageType.APP, []),
            (MessageType.HEARTBEAT, []),
        )
    ]
    heard, server = Heard(len(sent)), Server()
    server.add_generic_rpc_handlers([heard.handler()])
    address = await server.listen("127.0.0.1:0")
    nobody = cast(Port, None)  # nothing breaks here, so nobody is told
    peer = Peer(2, address, nobody, lambda: None, ())
    for message in sent:
        peer.put(message)
    try:
        await asyncio.wait_for(heard.wait(), 5)
        assert heard.streams == {"Appends": sent[:2], "Beats": sent[2:]}
    finally:
        await peer.close()
        await server.stop()


class Unreachable(asyncio.Event):
    """A Port that is told when the streams broke."""

    def unreachable(self, _member: int) -> None:
        self.set()


class Refusing:
    """A server of the service that ends every stream at once."""

    def handler(self) -> grpc.GenericRpcHandler:
        methods: dict[str, Any] = {"Beats": grpc.stream_stream_rpc_method_handler(self._end)}
        return grpc.method_handlers_generic_handler(NAME, methods)

    async def _end(self, _requests: AsyncIterator[bytes], context: Any) -> None:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")


async def test_a_close_waits_for_connections_that_broke_just_before() -> None:
    server, port = Server(), Unreachable()
    server.add_generic_rpc_handlers([Refusing().handler()])
    address = await server.listen("127.0.0.1:0")
    peer = Peer(2, address, cast(Port, port), lambda: None, ())
    peer.put(Message(MessageType.HEARTBEAT, to=2, sender=1, term=1))
    await asyncio.wait_for(port.wait(), 5)
    closing = [task for task in asyncio.all_tasks() if "Channel.close" in repr(task.get_coro())]
    await peer.close()
    assert closing
    assert [task.cancelled() for task in closing] == [False]
    await server.stop()
