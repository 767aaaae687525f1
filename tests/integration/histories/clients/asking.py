"""How the clients of a run ask: at one control node they name, or wherever the leader is.

`Members` has a connection to each control node and uses it as it is: what it refuses or does not
answer is told to the caller, who may ask another one the same. `Follower` is the product's client.
Both raise ApiError, and say in `settles` whether that decides the matter.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from holdfast.api import wire
from holdfast.api.client import Client
from holdfast.api.client.channels import Channels
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2, resources_pb2

SERVICE = "/holdfast.api.rpc.v1.Resources/"
STATUS = "/holdfast.api.rpc.v1.Cluster/Status"
TRY_S = 1.0
"""One try at one control node."""
FOLLOW_S = 8.0
"""A call of the product's client, with all its own tries."""

UNSETTLED = (
    Reason.UNAVAILABLE, Reason.NOT_LEADER, Reason.UNKNOWN_OUTCOME, Reason.TIMEOUT, Reason.INTERNAL,
)  # fmt: skip
"""After these nobody knows whether a write happened: an earlier try may have."""


class Way(Protocol):
    """One way of asking. member: who answered last."""

    @property
    def member(self) -> int: ...

    async def call(self, path: str, request: Message, read: Callable[[bytes], Any]) -> Any:
        """A unary call. Raises ApiError."""


class Members:
    """Direct connections to the control nodes, by number."""

    def __init__(self, endpoint: Endpoint, addresses: Mapping[int, str]) -> None:
        self.addresses = addresses
        self._channels = {
            member: Channels(
                Endpoint((address,), endpoint.ca_pem, endpoint.certificate_pem, endpoint.key_pem)
            )
            for member, address in addresses.items()
        }

    async def close(self) -> None:
        """Close every connection."""
        for channels in self._channels.values():
            await channels.close()

    async def call(
        self, member: int, path: str, request: Message, read: Callable[[bytes], Any],
        timeout_s: float = TRY_S,
    ) -> Any:  # fmt: skip
        """A unary call at one member, tried once."""
        method = self._channels[member].channel().unary_unary(path, _bytes, read)
        try:
            return await method(request, timeout_s)
        except grpc.aio.AioRpcError as error:
            raise wire.from_rpc_error(error) from None

    async def watch(
        self, member: int, request: resources_pb2.WatchRequest
    ) -> AsyncGenerator[resources_pb2.WatchReply, None]:
        """The replies of a watch at one member."""
        read = resources_pb2.WatchReply.FromString
        stream = self._channels[member].channel().unary_stream(SERVICE + "Watch", _bytes, read)
        call = stream(request)
        try:
            async for reply in call:
                yield reply
        except grpc.aio.AioRpcError as error:
            raise wire.from_rpc_error(error) from None
        finally:
            call.cancel()

    async def status(self, member: int) -> cluster_pb2.ClusterStatusReply:
        """How the cluster looks from one member."""
        request = cluster_pb2.ClusterStatusRequest()
        reply = await self.call(member, STATUS, request, cluster_pb2.ClusterStatusReply.FromString)
        assert isinstance(reply, cluster_pb2.ClusterStatusReply)
        return reply


class Direct:
    """Asks one member."""

    def __init__(self, members: Members, member: int) -> None:
        self._members = members
        self._member = member

    @property
    def member(self) -> int:
        """See Way."""
        return self._member

    async def call(self, path: str, request: Message, read: Callable[[bytes], Any]) -> Any:
        """See Way."""
        return await self._members.call(self._member, path, request, read)


class Follower:
    """Asks by the product's client, which follows the leader."""

    def __init__(self, endpoint: Endpoint, addresses: Mapping[int, str]) -> None:
        self.client = Client.connect(
            Endpoint(
                tuple(addresses.values()), endpoint.ca_pem, endpoint.certificate_pem,
                endpoint.key_pem,
            )
        )  # fmt: skip
        self._numbers = {address: member for member, address in addresses.items()}

    @property
    def member(self) -> int:
        """The member it uses, 0 = none of ours."""
        return self._numbers.get(self.client.address, 0)

    async def call(self, path: str, request: Message, read: Callable[[bytes], Any]) -> Any:
        """See Way."""
        return await self.client.unary(path, request, read, timeout_s=FOLLOW_S)


def settles(error: ApiError) -> bool:
    """Whether an error says that a write certainly did not happen, whatever was tried before."""
    return error.reason not in UNSETTLED


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()
