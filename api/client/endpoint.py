"""Where the control nodes are and how to prove who we are. Pure module."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a client needs to know.

    addresses: "host:port" or "unix:/path", the first that answers is used. ca_pem: the cluster
    CA; b"" = no TLS (a unix socket, tests). certificate_pem and key_pem: this client's own, for
    the mutual-TLS listener. token: sent as a bearer token on the other listener.
    """

    addresses: tuple[str, ...]
    ca_pem: bytes = b""
    certificate_pem: bytes | None = None
    key_pem: bytes | None = None
    token: str | None = None

    @property
    def on_token_listener(self) -> bool:
        """Whether these are addresses of the listeners that ask for no client certificate."""
        return bool(self.ca_pem) and self.certificate_pem is None


def token_listener(address: str) -> str:
    """The token listener beside a mutual-TLS listener: the next port. Control nodes tell only the
    latter of each other."""
    host, colon, port = address.rpartition(":")
    return f"{host}:{int(port) + 1}" if colon and port.isdigit() else address
