"""The two ends of mutual TLS, from the PEM files that `certificates` made."""

from __future__ import annotations

import ssl
from pathlib import Path

from holdfast.api.transport import security

CA = "ca.pem"
SERVER = "server"
CLIENT = "client"


def member_name(member: int) -> str:
    """The name of a member's certificate."""
    return f"member-{member:x}"


def read(folder: Path, name: str) -> tuple[bytes, bytes, bytes]:
    """The CA, a certificate and its key."""
    return tuple((folder / file).read_bytes() for file in (CA, f"{name}.pem", f"{name}.key"))  # type: ignore[return-value]


def calling(folder: Path, name: str) -> ssl.SSLContext:
    """For a caller with this certificate."""
    return security.client(*read(folder, name))


def serving(folder: Path) -> ssl.SSLContext:
    """For a listener that takes only callers with a certificate."""
    shown = security.showing(*read(folder, SERVER))
    ca = (folder / CA).read_bytes()
    return security.server(ca, lambda: shown, client_certificate=True)
