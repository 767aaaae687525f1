"""Connections to the control nodes: credentials, the addresses, and which one is in use.

All that calls over one `Channels` turn together: to the next address when one does not answer, to
the leader when a follower names it. Addresses learned from the cluster come before those that were
given; a given one is never forgotten, it may be a name that outlives machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from holdfast.api.client.endpoint import Endpoint, token_listener
from holdfast.api.errors import ApiError, Reason
from holdfast.api.transport import security
from holdfast.api.transport.channel import Channel

SILENT_S = 0.5
ADDRESSES_MAX = 32
"""Of control nodes that are kept in mind: seven with some listeners each."""


class Channels:
    """The channel in use, opened when first needed, and the addresses to turn to when it fails."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises ApiError BadRequest when the endpoint has no address."""
        if not endpoint.addresses:
            raise ApiError(Reason.BAD_REQUEST, "no address of a control node is given")
        self._endpoint = endpoint
        self._addresses = endpoint.addresses
        self._address = endpoint.addresses[0]
        self._silent: dict[str, float] = {}  # did not answer, until this loop time
        self._opened: dict[str, Channel] = {}
        self.learned: Callable[[tuple[str, ...]], None] | None = None
        """Told the mutual-TLS listeners to keep for the next start, when they changed."""
        self._told = endpoint.addresses
        self.learned_at = float("-inf")
        """Loop time when the cluster was last asked for its addresses; set by who asks."""

    @property
    def address(self) -> str:
        """The address in use."""
        return self._address

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address known."""
        return self._addresses

    @property
    def count(self) -> int:
        """How many addresses there are."""
        return len(self._addresses)

    def channel(self) -> Channel:
        """The channel to the address in use."""
        channel = self._opened.get(self.address)
        if channel is None:
            channel = self._opened[self.address] = _open(self.address, self._endpoint)
        return channel

    def turn_from(self, address: str) -> None:
        """This address did not answer: use the next one, unless somebody turned already."""
        self._silent[address] = asyncio.get_running_loop().time() + SILENT_S
        self.turn_on(address)

    def turn_on(self, address: str) -> None:
        """This one does not know who leads: ask the next one, unless somebody turned already."""
        if address == self._address:
            there = self._addresses
            place = there.index(address) + 1 if address in there else 0
            self._address = there[place % len(there)]

    def answered(self, address: str) -> None:
        """This address answers."""
        self._silent.pop(address, None)

    def turn_to(self, told: Sequence[str]) -> bool:
        """Use the leader, whose mutual-TLS listeners these are. False: it is in use already, or
        did not answer a moment ago: who named it has not heard of its end yet."""
        leader = self._mine(told)
        if self._address in leader:
            return False
        now = asyncio.get_running_loop().time()
        heard = [address for address in leader if self._silent.get(address, now) <= now]
        if not heard:
            return False
        self._address = heard[0]
        if self._address not in self._addresses:
            self._addresses = (self._address, *self._addresses)[:ADDRESSES_MAX]
        return True

    def learn(self, told: Sequence[str]) -> None:
        """These are the mutual-TLS listeners of all control nodes, as of now."""
        if not told:
            return
        found = dict.fromkeys((*self._mine(told), *self._endpoint.addresses))
        self._addresses = tuple(found)[:ADDRESSES_MAX]
        kept = list(told)
        if not self._endpoint.on_token_listener and self._address not in kept:
            kept.append(self._address)  # it works: perhaps a name that others do not know
        if set(kept) != set(self._told):
            self._told = tuple(kept)
            if self.learned is not None:
                self.learned(self._told)

    def _mine(self, told: Sequence[str]) -> list[str]:
        """The listeners for credentials like ours beside those told."""
        if self._endpoint.on_token_listener:
            return [token_listener(address) for address in told]
        return list(told)

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
