"""TLS for both ends, from PEM in memory (RFC 9113 §9.2: TLS 1.2 at least, ALPN "h2", neither
renegotiation nor compression).

A private key never gets a name in the file system: OpenSSL reads it from an anonymous file of this
process.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable

_PROTOCOLS = ["h2"]


def client(
    ca_pem: bytes, certificate_pem: bytes | None = None, key_pem: bytes | None = None
) -> ssl.SSLContext:
    """For callers: trusts this CA alone, and shows the certificate if there is one.

    Raises ValueError for PEM that is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _settle(context, ca_pem)
    if certificate_pem and key_pem:
        load(context, certificate_pem, key_pem)
    return context


def server(
    ca_pem: bytes, current: Callable[[], ssl.SSLContext], *, client_certificate: bool
) -> ssl.SSLContext:
    """For a listener.

    current: gives, at each handshake, the context with the certificate to show (`showing`).
    client_certificate: callers must show one of this CA. (OpenSSL takes what is asked of callers
    from the listener's own context, the certificate and the CA from the one that `current` gives.)
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _settle(context, ca_pem)
    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED

    def choose(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = current()

    context.sni_callback = choose
    return context


def showing(ca_pem: bytes, certificate_pem: bytes, key_pem: bytes) -> ssl.SSLContext:
    """A server's side of handshakes with this certificate. Raises ValueError for PEM that is
    none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _settle(context, ca_pem)
    load(context, certificate_pem, key_pem)
    return context


def load(context: ssl.SSLContext, certificate_pem: bytes, key_pem: bytes) -> None:
    """Show this certificate. Raises ValueError for PEM that is none."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, certificate_pem + b"\n" + key_pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        raise ValueError(f"not a certificate and its key: {error.reason}") from None
    finally:
        os.close(descriptor)


def _settle(context: ssl.SSLContext, ca_pem: bytes) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(_PROTOCOLS)
    try:
        context.load_verify_locations(cadata=ca_pem.decode("ascii", errors="replace"))
    except ssl.SSLError as error:
        raise ValueError(f"not a CA certificate: {error.reason}") from None
