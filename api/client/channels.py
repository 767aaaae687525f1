"""Connections to the control nodes: credentials, and which address is in use."""

from __future__ import annotations

from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.transport import security
from holdfast.api.transport.channel import Channel


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
        return Channel(address)
    try:
        tls = security.client(endpoint.ca_pem, endpoint.certificate_pem, endpoint.key_pem)
    except ValueError as error:
        raise ApiError(Reason.BAD_REQUEST, f"the credentials cannot be used: {error}") from None
    return Channel(address, tls)


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
