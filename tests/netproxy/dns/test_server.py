"""The DNS server over real sockets on loopback, with dnspython as its client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest

from holdfast.netproxy.dns import server as server_module
from holdfast.netproxy.dns import upstream as upstream_module
from holdfast.netproxy.dns.server import Server
from holdfast.netproxy.dns.upstream import Upstream
from holdfast.netproxy.picture import SERVICES, Picture
from tests.netproxy.builders import service
from tests.netproxy.dns.zones import picture

HOST = "127.0.0.1"
WEB = "web.default.svc.cluster.local"


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind((HOST, 0))
        port: int = tcp.getsockname()[1]
        udp.bind((HOST, port))
    return port


class World:
    """A server with its zone."""

    def __init__(self) -> None:
        self.picture: Picture = picture()
        self.upstream = Upstream()
        self.server = Server(self.picture.zone, self.upstream)
        self.port = free_port()

    async def udp(self, name: str, kind: str = "A", **options: object) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]
        return await dns.asyncquery.udp(query, HOST, timeout=2, port=self.port)

    async def tcp(self, name: str, kind: str = "A") -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        return await dns.asyncquery.tcp(query, HOST, timeout=2, port=self.port)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.server.start(HOST, made.port)
    yield made
    await made.server.stop()
    await made.upstream.close()


class Teller(asyncio.DatagramProtocol):
    """An upstream server: answers by a function, None = silence. asked: what came."""

    def __init__(self, tell: Callable[[bytes], bytes | None]) -> None:
        self.tell = tell
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self.asked.append(data)
        answer = self.tell(data)
        if answer is not None:
            self.transport.sendto(answer, addr)  # type: ignore[attr-defined]


def told(data: bytes) -> bytes:
    """example.org's answer to any A question."""
    reply = dns.message.make_response(dns.message.from_wire(data))
    name = reply.question[0].name
    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "93.184.216.34"))
    return reply.to_wire()


@asynccontextmanager
async def teller(port: int, tell: Callable[[bytes], bytes | None], host: str = HOST):  # type: ignore[no-untyped-def]
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(
        lambda: Teller(tell), local_addr=(host, port)
    )
    try:
        yield made
    finally:
        transport.close()
        await asyncio.sleep(0)


async def test_udp_and_tcp(world: World) -> None:
    for ask in (world.udp, world.tcp):
        reply = await ask(WEB)
        assert [str(item) for item in reply.answer[0]] == ["10.96.1.1"]


async def test_an_answer_from_memory_has_the_id_of_its_question(world: World) -> None:
    for number in (1, 2, 3):
        assert (await world.udp(WEB, id=number)).id == number


async def test_a_change_is_seen_at_once(world: World) -> None:
    assert (await world.udp("new.default.svc.cluster.local")).rcode() == dns.rcode.NXDOMAIN
    world.picture.put(SERVICES, service("new", "10.96.9.9"))
    reply = await world.udp("new.default.svc.cluster.local")
    assert str(reply.answer[0][0]) == "10.96.9.9"
    world.picture.drop(SERVICES, service("new"))
    assert (await world.udp("new.default.svc.cluster.local")).rcode() == dns.rcode.NXDOMAIN


async def test_addresses_take_turns(world: World) -> None:
    replies = [await world.udp("db.default.svc.cluster.local") for _ in range(4)]
    assert len({str(reply.answer[0][0]) for reply in replies}) == 2


async def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CACHE_MAX", 8)
    for number in range(20):
        await world.udp(f"absent-{number}.default.svc.cluster.local")
    assert len(world.server._kept) <= 8


async def test_several_questions_over_one_connection(world: World) -> None:
    reader, writer = await asyncio.open_connection(HOST, world.port)
    for number in range(3):
        wire = dns.message.make_query(WEB, "A", id=number).to_wire()
        writer.write(len(wire).to_bytes(2) + wire)
    for number in range(3):
        wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        assert dns.message.from_wire(wire).id == number
    writer.close()


async def test_other_names_go_upstream_under_another_id(world: World) -> None:
    port = free_port()
    async with teller(port, told) as other:
        await world.upstream.set_servers([HOST], port)
        replies = await asyncio.gather(
            *(world.udp(f"{number}.example.org", id=7) for number in range(20))
        )
        assert all(reply.id == 7 and reply.answer for reply in replies)
        assert len({data[:2] for data in other.asked}) > 10


async def test_an_alias_is_chased(world: World) -> None:
    port = free_port()
    async with teller(port, told):
        await world.upstream.set_servers([HOST], port)
        reply = await world.udp("outside.default.svc.cluster.local")
        assert [str(rrset[0]) for rrset in reply.answer] == ["example.org.", "93.184.216.34"]


async def test_a_silent_server_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_module, "TRY_TIMEOUT_S", 0.2)
    port = free_port()
    silent = teller(port, lambda _data: None)
    async with silent as first, teller(port, told, "127.0.0.2") as second:
        await world.upstream.set_servers([HOST, "127.0.0.2"], port)
        assert (await world.udp("a.example.org")).answer
        assert (await world.udp("b.example.org")).answer
        assert (len(first.asked), len(second.asked)) == (1, 2)


async def test_a_forged_answer_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_module, "TRY_TIMEOUT_S", 0.1)

    def forge(data: bytes) -> bytes:
        other = dns.message.make_query("evil.example", "A", id=int.from_bytes(data[:2]))
        return told(other.to_wire())

    port = free_port()
    async with teller(port, forge):
        await world.upstream.set_servers([HOST], port)
        assert (await world.udp("bank.example")).rcode() == dns.rcode.SERVFAIL


async def test_nobody_there_is_a_failure_soon(world: World) -> None:
    await world.upstream.set_servers([HOST], free_port())
    async with asyncio.timeout(1):
        assert (await world.udp("a.example.org")).rcode() == dns.rcode.SERVFAIL
        assert (await world.tcp("a.example.org")).rcode() == dns.rcode.SERVFAIL
    await world.upstream.set_servers([])
    assert (await world.udp("a.example.org")).rcode() == dns.rcode.SERVFAIL


async def test_tcp_goes_upstream_over_tcp(world: World) -> None:
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        answer = told(data)
        writer.write(len(answer).to_bytes(2) + answer)
        await writer.drain()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(tell, HOST, port):
        await world.upstream.set_servers([HOST], port)
        assert (await world.tcp("example.org")).answer


async def test_too_many_waiting_are_told_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "TASKS_MAX", 0)
    await world.upstream.set_servers([HOST], free_port())
    assert (await world.udp("a.example.org")).rcode() == dns.rcode.SERVFAIL
