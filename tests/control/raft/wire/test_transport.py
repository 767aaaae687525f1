"""Members over real connections with TLS: who is admitted, what a lost peer means, snapshots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest

from holdfast.api import identity
from holdfast.api.tls import certificates, keys
from holdfast.api.transport import security
from holdfast.api.transport.channel import Channel
from holdfast.control.access.ca import Authority, open_authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.control.raft.wire.transport import ADDRESS, CLUSTER, FROM, TO, GrpcTransport
from holdfast.control.rpc.server import Listener, Server, serve
from holdfast.control.store.raft_engine import Options, RaftEngine
from holdfast.control.store.replicated.members import Member
from holdfast.control.store.replicated.writer import Keep
from tests.control.store.replicated.group import PACE, Group, put, within


class Real(Group):
    """A group whose members call each other."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Keep(entries=5, most=50))
        self.authority = open_authority(path, time.time, Random(1))
        self.servers: dict[int, Server] = {}
        self.addresses: dict[int, str] = {}

    def tls(self, member: int) -> Any:
        key = keys.new()
        who = identity.of_member(member)
        pem = self.authority.issue_client(who, key.public_key(), 3600.0)
        return security.client(self.authority.pem, pem, keys.to_pem(key))

    async def start(self, member: int, voters: tuple[int, ...] | None = None) -> RaftEngine:
        late = Late()
        certificate = ServerCertificate(self.authority, ["127.0.0.1"])
        listener = Listener(self.addresses.get(member, "127.0.0.1:0"), certificate.mutual_tls())
        server = self.servers[member] = await serve([listener], [late], [])
        self.addresses[member] = server.addresses[0]
        transport = GrpcTransport(server.addresses[0], lambda: self.tls(member), identify)
        late.handler = transport.handler()
        engine = self.engines[member] = RaftEngine(
            self._path / str(member),
            Random(member).randrange,
            cluster_id="test",
            options=Options(member, voters, PACE, self._keep),
            transport=transport,
        )
        await engine.start()
        return engine

    async def kill(self, member: int) -> None:
        """Connections are refused from here on, as those of a process that is gone."""
        await self.servers.pop(member).stop(0)
        await self.engines.pop(member).stop()

    async def stop(self) -> None:
        for server in self.servers.values():
            await server.stop(0)
        await super().stop()


class Late(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A handler that is known only when the server's port is."""

    handler: grpc.GenericRpcHandler

    def service(self, details: Any) -> Any:
        return self.handler.service(details)

    def service_name(self) -> str:
        return "late"


async def identify(context: Any) -> int:
    pem = context.auth_context()["x509_pem_cert"][0]
    name = certificates.from_pem(pem).identity.name
    return int(name.removeprefix(identity.MEMBER_PREFIX), 16)


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Real]:
    group = Real(tmp_path)
    first = await group.start(1)
    await first.announce(Member(1, "m1", group.addresses[1]))
    for member in (2, 3):
        await group.start(member, ())
        await first.add_member(Member(member, f"m{member}", group.addresses[member]))
        await within(lambda: first.members()[-1].matched > 0.9)
        await first.promote_member(member)
    yield group
    await group.stop()


async def test_a_group_over_real_connections(group: Real) -> None:
    first = group.engines[1]
    for n in range(30):
        await put(first, f"a{n}")
    await group.level()
    assert await group.engines[2].barrier() >= first.revision

    # The leader's process goes: the others need not wait for its silence.
    await group.kill(1)
    second = await group.leader()
    await put(second, "b")

    # It comes back and has what it missed, by a snapshot.
    for n in range(150):
        await put(second, f"c{n}")
    again = await group.start(1)
    await group.level()
    assert again.revision == second.revision

    await second.remove_member(1)
    await put(second, "d")
    await within(lambda: again.view.leader != 1)
    # Its calls are refused by name from here on: it hears that it is out, which its own log may
    # never say, and cannot disturb the others.
    term = second.view.term
    await within(lambda: [one.member.id for one in again.members()] == [2, 3])
    await asyncio.sleep(PACE.tick_s * PACE.election_ticks * 3)
    assert second.view.term == term


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({CLUSTER: "other"}, "not member 1 of cluster other"),
        ({TO: "7"}, "not member 7"),
        ({FROM: "2"}, "the certificate is not that of member 2"),
        ({FROM: "x"}, "does not say from whom"),
    ],
)
async def test_who_is_not_admitted(tmp_path: Path, said: dict[str, str], sentence: str) -> None:
    group = Real(tmp_path)
    await group.start(1)
    metadata = {CLUSTER: "test", FROM: "9", TO: "1", ADDRESS: "127.0.0.1:1"} | said
    channel = Channel(group.addresses[1], group.tls(9))
    call = channel.stream_stream("/holdfast.api.raft.v1.Raft/Beats")(
        metadata=tuple(metadata.items())
    )
    with pytest.raises(grpc.aio.AioRpcError, match=sentence) as raised:
        await call.read()
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
    await channel.close()
    await group.stop()


def test_the_authority_names_members(tmp_path: Path) -> None:
    authority: Authority = open_authority(tmp_path, time.time, Random(1))
    key = keys.new()
    pem = authority.issue_client(identity.of_member(2**62), key.public_key(), 60.0)
    assert certificates.from_pem(pem).identity == identity.of_member(2**62)
