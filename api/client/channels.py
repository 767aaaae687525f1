"""Connections to the control nodes: options, credentials, and which address is in use.

All clients reconnect fast (gRPC's own back-off alone costs 1–2.6 s after a restart of the server)
and give a message the same bound as the server does.
"""

from __future__ import annotations

from typing import Any

import grpc

from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason

Channel = grpc.aio.Channel

MESSAGE_BYTES_MAX = 64 << 20
"""A list answer may be large; requests are bounded by the server (4 MiB)."""

CONNECT_TIMEOUT_MS = 3_000
"""How long one attempt to connect may take. gRPC calls this a back-off, but it bounds nothing
else: a refused connection is tried again after the other two. Below a loaded server's handshake
(hundreds of ms) no attempt would ever succeed."""

OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_metadata_size", 32 << 10),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
"""A control node is never behind the machine's HTTP proxy; channels do not share a connection
unless a client is shared on purpose, so that two identities never meet on one."""


class Channels:
    """The channel in use, opened when first needed, and the addresses to turn to when it fails."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises ApiError BadRequest when the endpoint has no address."""
        if not endpoint.addresses:
            raise ApiError(Reason.BAD_REQUEST, "no address of a control node is given")
        self._endpoint = endpoint
        self._current = 0
        self._opened: dict[str, Channel] = {}

    @property
    def address(self) -> str:
        """The address in use."""
        return self._endpoint.addresses[self._current]

    @property
    def count(self) -> int:
        """How many addresses there are."""
        return len(self._endpoint.addresses)

    def channel(self) -> Channel:
        """The channel to the address in use."""
        channel = self._opened.get(self.address)
        if channel is None:
            channel = self._opened[self.address] = _open(self.address, self._endpoint)
        return channel

    def turn_from(self, address: str) -> None:
        """This address did not answer: use the next one, unless somebody turned already."""
        if address == self.address:
            self._current = (self._current + 1) % self.count

    async def close(self) -> None:
        """Close every channel; calls under way are cancelled."""
        for channel in self._opened.values():
            await channel.close(None)
        self._opened.clear()


def _open(address: str, endpoint: Endpoint) -> Channel:
    if not endpoint.ca_pem:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        endpoint.ca_pem, endpoint.key_pem, endpoint.certificate_pem
    )
    return grpc.aio.secure_channel(address, credentials, options=OPTIONS)


def explain(address: str, error: ApiError) -> ApiError:
    """A failure of the connection itself, in words for the person at the keyboard."""
    text = error.message
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = (
            "its certificate was not issued by the cluster CA given "
            "(another cluster, or an old kubeconfig)"
        )
    elif "CERTIFICATE_EXPIRED" in text.upper():
        why = "a certificate has expired"
    elif "WRONG_VERSION_NUMBER" in text:
        why = "it does not speak TLS there"
    elif "ertificate" in text or "BAD_CERTIFICATE" in text:
        why = "it refused this client's certificate"
    elif "onnection refused" in text:
        why = "connection refused (is it running?)"
    else:
        why = text.rpartition("last error: ")[2] or text
    message = f"cannot reach the control node at {address}: {why}"
    return ApiError(Reason.UNAVAILABLE, message)
