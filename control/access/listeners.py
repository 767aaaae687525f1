"""The TLS side of the two listeners: one asks for a client certificate, one takes tokens.

gRPC in Python cannot see an optional client certificate, so a caller without one has a listener
of its own. Both show the same server certificate; its key lives in memory only and is made anew
at every start. gRPC asks for the certificate at each handshake: that is when a due one is
replaced, so rotation needs no timer, and connections that stand are not touched.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc

from holdfast.api.tls import certificates, keys
from holdfast.control.access.ca import Authority


class ServerCertificate:
    """This control node's certificate, replaced when two thirds of its life are over."""

    def __init__(self, authority: Authority, names: Iterable[str]) -> None:
        """names: the DNS names and IP addresses by which clients reach this control node."""
        self._authority = authority
        self._names = tuple(names)
        self._configuration, self._renew_at = self._issue()

    def mutual_tls(self) -> grpc.ServerCredentials:
        """For the listener that takes only callers with a certificate of this cluster."""
        return self._credentials(require_client_authentication=True)

    def server_tls(self) -> grpc.ServerCredentials:
        """For the listener of join tokens and certificate assertions."""
        return self._credentials(require_client_authentication=False)

    def _credentials(self, *, require_client_authentication: bool) -> grpc.ServerCredentials:
        shown = [self._configuration]

        def newest() -> grpc.ServerCertificateConfiguration | None:
            """Called by gRPC at each handshake; None = the one shown last. It must not raise."""
            if self._authority.clock() >= self._renew_at:
                self._configuration, self._renew_at = self._issue()
            if shown[0] is self._configuration:
                return None
            shown[0] = self._configuration
            return self._configuration

        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            newest,  # type: ignore[arg-type]  # None is documented, the stubs lack it
            require_client_authentication=require_client_authentication,
        )

    def _issue(self) -> tuple[grpc.ServerCertificateConfiguration, float]:
        key = keys.new()
        authority, lifetime_s = self._authority, self._authority.lifetimes.server_s
        pem = authority.issue_server(key.public_key(), self._names, lifetime_s)
        configuration = grpc.ssl_server_certificate_configuration(
            [(keys.to_pem(key), pem)], root_certificates=authority.pem
        )
        return configuration, authority.clock() + lifetime_s * certificates.RENEW_SHARE
