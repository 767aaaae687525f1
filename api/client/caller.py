"""Calls to the control nodes: connections, who calls, and following the leader.

The base of `Client`. Any unary method of any service can be called here; a call goes to the
control node in use, and on to another one as `pursuit` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from holdfast.api import wire
from holdfast.api.client import decoding
from holdfast.api.client.channels import Channels, explain
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.client.pursuit import Pursuit
from holdfast.api.errors import ApiError, Reason, leader_addresses
from holdfast.api.rpc.v1 import cluster_pb2

CALL_TIMEOUT_S = 30.0
ATTEMPT_S = 5.0
"""Where there are other control nodes, one that does not answer a call for so long is left."""
LEARN_EVERY_S = 60.0
LEARN_S = 1.0
_STATUS = "/holdfast.api.rpc.v1.Cluster/Status"

Metadata = tuple[tuple[str, str], ...]


class Caller:
    """One identity's access to the cluster. Connects when first used; `close` it."""

    def __init__(
        self, channels: Channels, authorization: Callable[[], str] | None, manager: str = ""
    ) -> None:
        self._channels = channels
        self._authorization = authorization
        self._manager = manager

    @classmethod
    def connect(cls, endpoint: Endpoint, manager: str = "") -> Self:
        """A client of these control nodes. Nothing is sent yet: the first call connects.

        manager: the field manager of its writes, "" = the caller's name.
        """
        token = endpoint.token
        bearer = (lambda: f"Bearer {token}") if token else None
        return cls(Channels(endpoint), bearer, manager)

    def acting_as(self, authorization: Callable[[], str]) -> Self:
        """Another identity over the same connections.

        authorization: gives the value of the `authorization` metadata of each call. Close only
        the client that connected.
        """
        return type(self)(self._channels, authorization, self._manager)

    def managed_by(self, manager: str) -> Self:
        """The same identity, writing as another field manager ("kubectl-edit")."""
        return type(self)(self._channels, self._authorization, manager)

    @property
    def channel(self) -> Any:
        """The Channel in use, for the other services' stubs; their types know grpcio's only."""
        return self._channels.channel()

    @property
    def address(self) -> str:
        """The address in use, "host:port"."""
        return self._channels.address

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address known."""
        return self._channels.addresses

    def metadata(self) -> Metadata | None:
        """What each call carries to say who it is; None when the certificate says it."""
        if self._authorization is None:
            return None
        return (("authorization", self._authorization()),)

    async def close(self) -> None:
        """End all calls and connections."""
        await self._channels.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def status(self, timeout_s: float = CALL_TIMEOUT_S) -> cluster_pb2.ClusterStatusReply:
        """The cluster as a whole."""
        read = cluster_pb2.ClusterStatusReply.FromString
        request = cluster_pb2.ClusterStatusRequest()
        reply = await self.unary(_STATUS, request, read, timeout_s=timeout_s)
        assert isinstance(reply, cluster_pb2.ClusterStatusReply)
        return reply

    async def unary(
        self, path: str, request: Message, read: Callable[[bytes], Any], *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Any:  # fmt: skip
        """Call a method of any service, at the leader if it is one's own.

        path: "/package.Service/Method"; read: makes the reply of bytes. Raises ApiError.
        """
        clock = asyncio.get_running_loop().time
        pursuit = self._pursuit(timeout_s)
        while True:
            address, several = self._channels.address, self._channels.count > 1
            left_s = max(0.001, pursuit.until - clock())
            method = self._channels.channel().unary_unary(path, decoding.serialize, read)
            try:
                reply = await method(
                    request, min(left_s, ATTEMPT_S) if several else left_s, self.metadata()
                )
            except grpc.aio.AioRpcError as error:
                await self._go_on(pursuit, error, address)
            else:
                self._channels.answered(address)
                return reply

    def _pursuit(self, timeout_s: float = CALL_TIMEOUT_S) -> Pursuit:
        """Of a call that begins now, or of a stream that was cut now."""
        return Pursuit(asyncio.get_running_loop().time() + timeout_s)

    async def _go_on(self, pursuit: Pursuit, error: grpc.aio.AioRpcError, address: str) -> None:
        """Wait until the next attempt. Raises the refusal when there is none."""
        refusal = self.refusal(error, address)
        pause_s = pursuit.pause_s(
            refusal,
            address,
            self._channels.addresses,
            answered=wire.has_status(error),
            turned=self._channels.address != address,
            now=asyncio.get_running_loop().time(),
            chance=random.random(),  # noqa: S311
        )
        if pause_s is None:
            raise refusal from None
        await asyncio.sleep(pause_s)

    def refusal(self, error: grpc.aio.AioRpcError, address: str) -> ApiError:
        """What a failed call of any stub means, and turn: to the leader that a control node names,
        from one that does not answer or cannot serve. address: where it was called."""
        refusal = wire.from_rpc_error(error)
        answered = wire.has_status(error)
        if refusal.reason is Reason.NOT_LEADER:
            leader = leader_addresses(refusal)
            if leader:
                self._channels.turn_to(leader)
            else:
                self._channels.turn_on(address)
        elif refusal.reason is Reason.UNAVAILABLE:
            self._channels.turn_from(address)
            return refusal if answered else explain(address, refusal)
        elif refusal.reason is Reason.TIMEOUT and not answered:
            self._channels.turn_from(address)
            message = f"the control node at {address} did not answer in time"
            return ApiError(Reason.TIMEOUT, message)
        return refusal

    def learn(self, addresses: Sequence[str]) -> None:
        """These are the control nodes. addresses: their mutual-TLS listeners."""
        self._channels.learn(addresses)

    def on_learned(self, learned: Callable[[tuple[str, ...]], None]) -> None:
        """Have the mutual-TLS listeners told whenever they turn out to be others than known, so
        that they can be kept for the next start."""
        self._channels.learned = learned

    def answered(self, address: str) -> None:
        """A call of another stub was answered there."""
        self._channels.answered(address)

    async def find_leader(self) -> None:
        """Turn to the leader, for calls of other stubs that only it serves. Raises ApiError."""
        reply = await self.status()
        for member in reply.members:
            if member.leader:
                self._channels.turn_to(member.endpoints)

    async def _learn(self) -> None:
        """Ask where all control nodes are, so that this one may go. Not again and again."""
        now = asyncio.get_running_loop().time()
        if now < self._channels.learned_at + LEARN_EVERY_S:
            return
        self._channels.learned_at = now
        with contextlib.suppress(ApiError):  # there is time for it a minute later
            reply = await self.status(LEARN_S)
            self.learn([address for member in reply.members for address in member.endpoints])
