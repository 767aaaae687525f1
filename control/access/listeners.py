"""The TLS side of the two listeners: one asks for a client certificate, one takes tokens.

A listener must not ask callers for a certificate that they cannot have yet, so those who join
have one of their own. Both show the same server certificate; its key lives in memory only and is
made anew at every start. The certificate to show is asked for at each handshake: that is when a
due one is replaced, so rotation needs no timer, and connections that stand are not touched.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from holdfast.api.tls import certificates, keys
from holdfast.api.transport import security
from holdfast.control.access.ca import Authority


class ServerCertificate:
    """This control node's certificate, replaced when two thirds of its life are over."""

    def __init__(self, authority: Authority, names: Iterable[str]) -> None:
        """names: the DNS names and IP addresses by which clients reach this control node."""
        self._authority = authority
        self._names = tuple(names)
        self._shown, self._renew_at = self._issue()

    def mutual_tls(self) -> ssl.SSLContext:
        """For the listener that takes only callers with a certificate of this cluster."""
        return security.server(self._authority.pem, self._current, client_certificate=True)

    def server_tls(self) -> ssl.SSLContext:
        """For the listener of join tokens and certificate assertions."""
        return security.server(self._authority.pem, self._current, client_certificate=False)

    def _current(self) -> ssl.SSLContext:
        if self._authority.clock() >= self._renew_at:
            self._shown, self._renew_at = self._issue()
        return self._shown

    def _issue(self) -> tuple[ssl.SSLContext, float]:
        key = keys.new()
        authority, lifetime_s = self._authority, self._authority.lifetimes.server_s
        pem = authority.issue_server(key.public_key(), self._names, lifetime_s)
        shown = security.showing(authority.pem, pem, keys.to_pem(key))
        return shown, authority.clock() + lifetime_s * certificates.RENEW_SHARE
