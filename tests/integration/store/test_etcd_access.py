"""Being let in by etcd: TLS with client certificates, users and their tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import grpc.aio
import pytest

from holdfast.api.tls import keys
from holdfast.control.access.ca import open_authority
from holdfast.control.store.engine import StoreError
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.target import parse
from tests.control.store.conformance import PODS, batch, put
from tests.integration.store.etcd_servers import EtcdServers

pytestmark = pytest.mark.integration

READ_WRITE = 2


class Files:
    """A CA, a server's and an administrator's certificate, as etcd and our address want them."""

    def __init__(self, folder: Path) -> None:
        authority = open_authority(folder, time.time, Random(1))
        folder.mkdir(exist_ok=True)
        server, admin = keys.new(), authority.admin(["unused:1"])
        certificate = authority.issue_server(server.public_key(), ["127.0.0.1"], 3600)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(authority.pem)
        self.server = (folder / "server.pem", folder / "server.key")
        self.client = (folder / "client.pem", folder / "client.key")
        written = (certificate, keys.to_pem(server), admin.certificate_pem, admin.key_pem)
        for path, pem in zip((*self.server, *self.client), written, strict=True):
            assert pem
            path.write_bytes(pem)

    @property
    def flags(self) -> list[str]:
        certificate, key = self.server
        return [
            "--cert-file", str(certificate), "--key-file", str(key),
            "--trusted-ca-file", str(self.ca), "--client-cert-auth",
        ]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "tls")


@pytest.fixture
def secured(tmp_path: Path, files: Files) -> Iterator[EtcdServers]:
    """An etcd that wants client certificates."""
    servers = EtcdServers(tmp_path / "etcd")
    try:
        servers.start("https", files.flags)
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[EtcdServers]:
    """An etcd for `guard`."""
    servers = EtcdServers(tmp_path / "etcd")
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


async def check_works(address: str) -> None:
    engine = EtcdEngine(parse(address), new_cluster_id="test")
    await engine.start()
    try:
        await engine.commit(batch(put("a")))
        assert await engine.barrier() == engine.revision
        assert await engine.page(PODS, "", engine.revision, None, 9) == engine.rows(PODS)
        assert len(await engine.history(0, 9)) >= 1
        await engine.compact(engine.revision)
    finally:
        await engine.stop()


async def test_tls_with_a_client_certificate(secured: EtcdServers, files: Files) -> None:
    certificate, key = files.client
    await check_works(f"etcd://{secured.hosts}?ca={files.ca}&cert={certificate}&key={key}")


async def test_who_is_not_let_in_hears_so(
    secured: EtcdServers, files: Files, tmp_path: Path
) -> None:
    other = Files(tmp_path / "other")

    async def refused(options: str) -> None:
        engine = EtcdEngine(parse(f"etcd://{secured.hosts}{options}"), new_cluster_id="test")
        with pytest.raises(StoreError, match=rf"etcd at {secured.hosts} does not answer"):
            await engine.start()

    await asyncio.gather(*map(refused, ("", f"?ca={files.ca}", f"?ca={other.ca}")))
    missing = tmp_path / "missing"
    engine = EtcdEngine(parse(f"etcd://{secured.hosts}?ca={missing}"), new_cluster_id="test")
    with pytest.raises(StoreError, match="missing: No such file"):
        await engine.start()


def text(number: int, value: str | bytes) -> bytes:
    """A field of a message that our subset of etcd's API leaves out."""
    raw = value.encode() if isinstance(value, str) else value
    return bytes(((number << 3) | 2, len(raw))) + raw


async def guard(host: str) -> None:
    """Turn users on: root, and one who may touch the keys below /holdfast/ only."""
    permission = bytes((1 << 3, READ_WRITE)) + text(2, "/holdfast/") + text(3, "/holdfast0")
    calls = [
        ("UserAdd", text(1, "root") + text(2, "secret")),
        ("RoleAdd", text(1, "root")),
        ("UserGrantRole", text(1, "root") + text(2, "root")),
        ("UserAdd", text(1, "holdfast") + text(2, "pass word")),
        ("RoleAdd", text(1, "ours")),
        ("RoleGrantPermission", text(1, "ours") + text(2, permission)),
        ("UserGrantRole", text(1, "holdfast") + text(2, "ours")),
        ("AuthEnable", b""),
    ]
    async with grpc.aio.insecure_channel(host) as channel:
        for method, request in calls:
            await channel.unary_unary(f"/etcdserverpb.Auth/{method}")(request)


async def test_a_user_with_a_password(guarded: EtcdServers, tmp_path: Path) -> None:
    await guard(guarded.hosts)
    password = tmp_path / "password"
    password.write_text("pass word\n")
    await check_works(f"etcd://holdfast@{guarded.hosts}?password-file={password}")
    for address, told in (
        (f"etcd://{guarded.hosts}", "wants a user"),
        (f"etcd://root@{guarded.hosts}?password-file={password}", "invalid user ID or password"),
        (
            f"etcd://holdfast@{guarded.hosts}/elsewhere?password-file={password}",
            "permission denied",
        ),
    ):
        with pytest.raises(StoreError, match=told):
            await EtcdEngine(parse(address), new_cluster_id="test").start()


async def test_a_token_that_etcd_forgot_is_asked_for_again(
    guarded: EtcdServers, tmp_path: Path
) -> None:
    await guard(guarded.hosts)
    password = tmp_path / "password"
    password.write_text("pass word")
    address = f"etcd://holdfast@{guarded.hosts}?password-file={password}"
    engine = EtcdEngine(parse(address), new_cluster_id="test")
    await engine.start()
    try:
        await engine.commit(batch(put("a")))
        (member,) = guarded.members
        member.kill()  # simple tokens live in etcd's memory
        member.start()
        member.ready()
        await engine.commit(batch(put("b")))
        assert await engine.barrier() == engine.revision
    finally:
        await engine.stop()
