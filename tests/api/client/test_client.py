"""The client against real servers: cut connections, several addresses, TLS, following."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast.api.client import Client, Endpoint, Event, EventType, Reflector
from holdfast.api.errors import ApiError, Reason
from holdfast.api.transport import security
from holdfast.control.rpc.server import Listener, serve
from tests.control.registry.world import config_map
from tests.control.rpc.serving import site, started


class Seen:
    """Collects a reflector's events; `until` waits for one."""

    def __init__(self) -> None:
        self.events: list[tuple[EventType, str]] = []
        self._more = asyncio.Event()

    def batch(self, events: list[Event]) -> None:
        self.events += [(event.type, event.object.metadata.name) for event in events]
        self._more.set()

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not wanted():
                self._more.clear()
                await self._more.wait()


async def test_a_reflector_follows_over_a_restart(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await at.client.create("configmaps", config_map("a"))
        seen = Seen()
        reflector = Reflector(at.client, "configmaps", namespace="default", on_batch=seen.batch)
        task = asyncio.create_task(reflector.run())
        await asyncio.wait_for(reflector.synced.wait(), 10)
        assert seen.events == [(EventType.ADDED, "a")]
        assert reflector.connected
        await at.world.update("configmaps", config_map("a", key="2"))
        await seen.until(lambda: len(seen.events) == 2)
        await at.server.stop(0)
        await at.world.create("configmaps", config_map("b"))
        await at.world.delete("configmaps", "a")
        at.server = await started(at.world, at.hub, at.address)
        await seen.until(lambda: len(seen.events) == 4)
        assert seen.events[1:] == [
            (EventType.MODIFIED, "a"),
            (EventType.ADDED, "b"),
            (EventType.DELETED, "a"),
        ]
        assert list(reflector.objects) == [("default", "b")]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_reflector_starts_over_when_its_revision_is_too_old(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await at.client.create("configmaps", config_map("a"))
        await at.client.create("configmaps", config_map("b"))
        seen = Seen()
        reflector = Reflector(at.client, "configmaps", namespace="default", on_batch=seen.batch)
        task = asyncio.create_task(reflector.run())
        await seen.until(lambda: len(seen.events) == 2)
        await at.server.stop(0)
        at.hub.close()
        await at.world.delete("configmaps", "a")
        await at.world.create("configmaps", config_map("c"))
        await at.world.engine.compact(at.world.engine.revision)
        at.hub = type(at.hub)(at.world.cache)
        at.server = await started(at.world, at.hub, at.address)
        await seen.until(lambda: len(seen.events) == 4)
        assert seen.events[2:] == [(EventType.DELETED, "a"), (EventType.ADDED, "c")]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_error_of_the_owner_ends_the_reflector(tmp_path: Path) -> None:
    def fail(_events: list[Event]) -> None:
        raise ValueError("mine")

    async with site(tmp_path) as at:
        await at.client.create("configmaps", config_map())
        with pytest.raises(ValueError, match="mine"):
            await asyncio.wait_for(Reflector(at.client, "configmaps", on_batch=fail).run(), 10)


async def test_the_next_address_is_used_when_one_does_not_answer(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        both = Endpoint((f"unix:{tmp_path}/nobody.sock", at.address))
        async with Client.connect(both) as client:
            await client.create("configmaps", config_map())
            assert client.address == at.address
            assert (await client.get("configmaps", "settings", "default")).data.get("key")
        nobody = Endpoint((f"unix:{tmp_path}/nobody.sock",))
        async with Client.connect(nobody) as client:
            with pytest.raises(ApiError, match="cannot reach the control node at unix:"):
                await client.get("configmaps", "settings", "default")


async def test_identities_over_one_connection(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        n1 = at.client.acting_as(lambda: "Bearer node:n1")
        assert n1.channel is at.client.channel
        with pytest.raises(ApiError) as refused:
            await n1.list("pods")
        assert refused.value.reason is Reason.FORBIDDEN
        assert 'User "system:node:n1"' in str(refused.value)
        await at.client.list("pods")


async def test_words_that_are_not_known(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        with pytest.raises(ApiError, match='unknown patch type "apply"'):
            await at.client.patch("pods", "p", "default", "apply", b"{}")
        with pytest.raises(ApiError, match="unknown propagation policy"):
            await at.client.delete("pods", "p", "default", propagation="sideways")
        with pytest.raises(ApiError, match="no address"):
            Client.connect(Endpoint(()))


def _authority(name: str) -> tuple[bytes, bytes, bytes]:
    """A self-signed certificate for localhost: CA, certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(minutes=5))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem, pem, private


async def test_another_clusters_certificate_is_named() -> None:
    ours, certificate, key = _authority("ours")
    theirs, _, _ = _authority("theirs")
    shown = security.showing(ours, certificate, key)
    credentials = security.server(ours, lambda: shown, client_certificate=False)
    server = await serve([Listener("localhost:0", credentials)], [], [])
    address = server.addresses[0]
    try:
        async with Client.connect(Endpoint((address,), ca_pem=theirs)) as client:
            with pytest.raises(ApiError, match="not issued by the cluster CA") as refused:
                await client.status()
            assert address in str(refused.value)
        async with Client.connect(Endpoint((address,), ca_pem=ours)) as client:
            with pytest.raises(ApiError) as answered:
                await client.status()
            assert answered.value.reason is Reason.METHOD_NOT_ALLOWED
    finally:
        await server.stop(0)
