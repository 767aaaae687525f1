"""The Sessions service: the streams that node agents open; control/sessions is behind it.

The writes that come over a session are a Resources.Batch in all but the call: the same judgement
of who may, asked anew for each, because a session outlives certificates.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc

from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.api.wire import status_bytes
from holdfast.control.rpc.doors import Authenticate, Context, Require, anywhere, refusal, two_way
from holdfast.control.sessions.sessions import Sessions
from holdfast.control.sessions.streams import Streams

NAME = "holdfast.api.rpc.v1.Sessions"


Batch = Callable[[resources_pb2.BatchRequest, Identity], Awaitable[resources_pb2.BatchReply]]


class SessionsService:
    """holdfast.api.rpc.v1.Sessions."""

    def __init__(
        self, sessions: Sessions, streams: Streams, authenticate: Authenticate, batch: Batch,
        require: Require = anywhere,
    ) -> None:  # fmt: skip
        """batch: performs Resources.Batch. require: passes at the leader, who holds sessions."""
        self._require = require
        self._sessions = sessions
        self._batch = batch
        self._streams = streams
        self._authenticate = authenticate

    def handler(self) -> grpc.GenericRpcHandler:
        """For `server.add_generic_rpc_handlers`."""
        who = self._authenticate
        handlers = {
            "Open": two_way("Sessions/Open", who, wire.NodeMessage, self._open),
            "Dial": two_way("Sessions/Dial", who, wire.Frame, self._streams.serve_dial),
        }
        return grpc.method_handlers_generic_handler(NAME, handlers)

    async def _open(self, identity: Identity, context: Context) -> None:
        async def commit(writes: wire.Writes) -> wire.ControlMessage:
            who = await self._authenticate(context)  # what it raises ends the session
            answer = wire.ControlMessage()
            answer.written.number = writes.number
            try:
                answer.written.reply.MergeFrom(await self._batch(writes.batch, who))
            except Exception as error:
                answer.written.refusal = status_bytes(refusal("Sessions/Open", error))
            return answer

        await self._require()
        await self._sessions.serve(identity, context, commit)
