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
