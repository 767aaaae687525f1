"""How fast services reach the kernel, and DNS answers: in a network namespace of its own (root).

1,000 services of three endpoints: all written at once, then one endpoint changed at a time, from
the change in the picture to the kernel's answer. DNS: one client with 32 questions in flight, over
UDP on loopback, names in memory; server and client share the process.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import statistics
import time
from typing import Any

import dns.message
import uvloop

from bench.figures import emit
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.discovery.v1 import discovery_pb2 as discovery
from holdfast.netproxy.dns.server import Server
from holdfast.netproxy.dns.upstream import Upstream
from holdfast.netproxy.dns.zone import Zone
from holdfast.netproxy.forwarding import SERVICE_LABEL, Forwarding, Site
from holdfast.netproxy.iptables.backend import IptablesFilter
from holdfast.netproxy.iptables.kernel import KernelTool
from holdfast.netproxy.picture import ENDPOINT_SLICES, SERVICES, Picture
from holdfast.netproxy.routes import kernel

CLONE_NEWNET = 0x40000000
COUNT = 1000
CHANGES = 50
QUESTIONS = 20_000
IN_FLIGHT = 32
RUNS = 3
SITE = Site("10.244.0.0/16", "10.96.0.0/16", "10.244.1.0/24", "10.96.0.10")
PORT = 5353


def service(number: int) -> core.Service:
    made = core.Service()
    made.metadata.namespace, made.metadata.name = "default", f"s{number}"
    made.spec.clusterIP = f"10.96.{1 + number // 250}.{1 + number % 250}"
    made.spec.ports.add(name="http", port=80, protocol="TCP")
    return made


def endpoints(number: int, shift: int = 0) -> discovery.EndpointSlice:
    made = discovery.EndpointSlice(addressType="IPv4")
    made.metadata.namespace, made.metadata.name = "default", f"s{number}-1"
    made.metadata.labels[SERVICE_LABEL] = f"s{number}"
    made.ports.add(name="http", port=8080, protocol="TCP")
    for host in range(3):
        made.endpoints.add(addresses=[f"10.244.{number % 250}.{1 + host + shift}"])
    return made


def picture() -> Picture:
    made = Picture(Zone("cluster.local", (SITE.cluster_cidr, SITE.service_cidr), SITE.dns_address))
    for number in range(COUNT):
        made.put(SERVICES, service(number))
        made.put(ENDPOINT_SLICES, endpoints(number))
    return made


async def rules() -> None:
    whole, one = [], []
    for _ in range(RUNS):
        made, packet_filter = picture(), IptablesFilter(KernelTool())
        begun = time.perf_counter()
        await packet_filter.apply(Forwarding(SITE, made.ports))
        whole.append(1000 * (time.perf_counter() - begun))
        for change in range(CHANGES):
            begun = time.perf_counter()
            made.put(ENDPOINT_SLICES, endpoints(change * 7 % COUNT, shift=1 + change % 3))
            await packet_filter.apply(Forwarding(SITE, made.ports))
            one.append(1000 * (time.perf_counter() - begun))
        await packet_filter.remove()
    emit("netproxy.services_1000_whole_ms", whole, "ms")
    cuts = statistics.quantiles(one, n=100)
    emit("netproxy.endpoint_change_at_1000_p50_ms", cuts[49], "ms")
    emit("netproxy.endpoint_change_at_1000_p99_ms", cuts[98], "ms")


class Asker(asyncio.DatagramProtocol):
    """Keeps IN_FLIGHT questions under way until all are answered."""

    def __init__(self, questions: list[bytes]) -> None:
        self.left = iter(questions)
        self.waiting = len(questions)
        self.done = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        for _ in range(IN_FLIGHT):
            transport.sendto(next(self.left))

    def datagram_received(self, _data: bytes, _address: Any) -> None:
        self.waiting -= 1
        if not self.waiting:
            self.done.set()
        question = next(self.left, None)
        if question is not None:
            self.transport.sendto(question)


async def names() -> None:
    made = picture()
    upstream = Upstream()
    server = Server(made.zone, upstream)
    await kernel.add_address(SITE.dns_address)
    await server.start(SITE.dns_address, PORT)
    wires = [
        dns.message.make_query(f"s{number}.default.svc.cluster.local", "A", id=number).to_wire()
        for number in range(COUNT)
    ]
    questions = [wires[number % COUNT] for number in range(QUESTIONS)]
    rates = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        transport, asker = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Asker(questions), remote_addr=(SITE.dns_address, PORT)
        )
        async with asyncio.timeout(60):
            await asker.done.wait()
        transport.close()
        rates.append(QUESTIONS / (time.perf_counter() - begun))
    await server.stop()
    await upstream.close()
    emit("netproxy.dns_answers_per_s", rates, "answers/s")


async def main() -> None:
    await rules()
    await names()


if __name__ == "__main__":
    libc = ctypes.CDLL(None, use_errno=True)
    # A namespace of this process alone: it goes with the process, and so do all rules in it.
    if libc.unshare(CLONE_NEWNET):
        raise SystemExit(f"netproxy bench needs root: {os.strerror(ctypes.get_errno())}")
    uvloop.run(main())
