"""Mutual TLS between ours and grpcio's: who is taken, and the sentence for who is not."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast.api.client.channels import explain
from holdfast.api.errors import ApiError, Reason
from holdfast.api.transport import link, security
from holdfast.api.transport.channel import Channel
from holdfast.api.transport.server import Server
from tests.api.transport.serving import OPTIONS, Handlers


class Authority:
    """A CA that issues what a test needs."""

    def __init__(self, name: str = "ca") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.pem = self._signed(self._key.public_key(), self._name, 1, ca=True)

    def issue(self, address: str = "127.0.0.1", days: int = 1) -> tuple[bytes, bytes]:
        """A certificate and its key. days: of its life from now on; negative = over."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self._signed(key.public_key(), name, days, address), private

    def _signed(
        self, key: Any, name: x509.Name, days: int, address: str = "", ca: bool = False
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if address:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that refused the other's certificate never ends its side of TLS."""
    monkeypatch.setattr(link, "CLOSE_TIMEOUT_S", 0.05)


@asynccontextmanager
async def served(
    ca: Authority, current: Callable[[], ssl.SSLContext] | None = None
) -> AsyncIterator[str]:
    """Our server on mutual TLS; its address."""
    shown = security.showing(ca.pem, *ca.issue())
    handlers, server = Handlers(), Server()
    server.add_generic_rpc_handlers((handlers.generic(),))
    tls = security.server(ca.pem, current or (lambda: shown), client_certificate=True)
    try:
        yield await server.listen("127.0.0.1:0", tls)
    finally:
        await server.stop()


async def echoed(address: str, tls: ssl.SSLContext | None) -> bytes:
    async with Channel(address, tls) as channel:
        reply: bytes = await channel.unary_unary("/t.T/Echo")(b"x", timeout=5)
        return reply


async def refusal(address: str, tls: ssl.SSLContext | None) -> str:
    """What the person at the keyboard reads."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echoed(address, tls)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    error = ApiError(Reason.UNAVAILABLE, caught.value.details() or "")
    return explain(address, error).message.partition(f"{address}: ")[2]


async def test_both_show_a_certificate(ca: Authority) -> None:
    async with served(ca) as address:
        assert await echoed(address, security.client(ca.pem, *ca.issue())) == b"x"


async def test_grpcios_client_and_its_certificate(ca: Authority) -> None:
    certificate, key = ca.issue()
    credentials = grpc.ssl_channel_credentials(ca.pem, key, certificate)
    async with (
        served(ca) as address,
        grpc.aio.secure_channel(address, credentials, options=OPTIONS) as channel,
    ):
        assert await channel.unary_unary("/t.T/Echo")(b"x", timeout=5) == b"x"


async def test_grpcios_server_and_our_client(ca: Authority) -> None:
    certificate, key = ca.issue()
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((Handlers().generic(),))
    credentials = grpc.ssl_server_credentials([(key, certificate)], ca.pem, True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    assert await echoed(f"127.0.0.1:{port}", security.client(ca.pem, *ca.issue())) == b"x"
    await server.stop(0)


async def test_a_server_of_another_ca(ca: Authority) -> None:
    async with served(ca) as address:
        why = await refusal(address, security.client(Authority("other").pem, *ca.issue()))
        assert why.startswith("its certificate was not issued by the cluster CA")


async def test_clients_that_are_not_taken(ca: Authority) -> None:
    refused = "it refused this client's certificate"
    async with served(ca) as address:
        # What the server has to say is lost when it arrives after its end of the connection.
        lost = "perhaps it does not take this client"
        for tls, wanted in (
            (security.client(ca.pem), refused),
            (security.client(ca.pem, *Authority("other").issue()), refused),
            (security.client(ca.pem, *ca.issue(days=-1)), "a certificate has expired"),
        ):
            why = await refusal(address, tls)
            assert why == wanted or lost in why


async def test_servers_that_are_not_taken(ca: Authority) -> None:
    late = security.showing(ca.pem, *ca.issue(days=-1))
    tls = security.client(ca.pem, *ca.issue())
    async with served(ca, lambda: late) as address:
        assert await refusal(address, tls) == "a certificate has expired"
    elsewhere = security.showing(ca.pem, *ca.issue("10.1.2.3"))
    async with served(ca, lambda: elsewhere) as address:
        assert "proves to be another than this address" in await refusal(address, tls)


async def test_one_side_without_tls(ca: Authority) -> None:
    async with served(ca) as address:
        assert await refusal(address, None)
    server = Server()
    address = await server.listen("127.0.0.1:0")
    tls = security.client(ca.pem, *ca.issue())
    assert await refusal(address, tls) == "it does not speak TLS there"
    await server.stop()


async def test_a_server_that_does_not_offer_http_2(ca: Authority) -> None:
    tls = security.showing(ca.pem, *ca.issue())
    tls.set_alpn_protocols(["http/1.1"])
    server = Server()
    address = await server.listen("127.0.0.1:0", tls)
    why = await refusal(address, security.client(ca.pem))
    assert "does not speak HTTP/2" in why
    await server.stop()


async def test_a_certificate_is_replaced_while_connections_stand(ca: Authority) -> None:
    certificates = [ca.issue(), ca.issue()]
    shown = [security.showing(ca.pem, *one) for one in certificates]
    tls, seen = security.client(ca.pem, *ca.issue()), []
    async with served(ca, lambda: shown[len(seen)]) as address:
        channels = []
        for _ in range(2):
            channel = Channel(address, tls)
            channels.append(channel)
            await channel.unary_unary("/t.T/Echo")(b"x")
            assert channel._link is not None
            seen.append(channel._link.transport_info("ssl_object").getpeercert(True))
        assert [ssl.DER_cert_to_PEM_cert(one).encode() for one in seen] == [
            pem for pem, _ in certificates
        ]
        for channel in channels:
            assert await channel.unary_unary("/t.T/Echo")(b"x") == b"x"
            await channel.close()
