"""Services through the real kernel: who answers, under which address, what is refused."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial

import pytest

from holdfast.netproxy import conntrack
from holdfast.netproxy.filters import Applied
from holdfast.netproxy.forwarding import Forwarding, Protocol, ServicePort, Site, Target
from holdfast.netproxy.iptables.backend import IptablesFilter
from holdfast.netproxy.iptables.fake import FakeIptables
from holdfast.netproxy.iptables.kernel import KernelTool
from holdfast.netproxy.routes import kernel, sysctls
from holdfast.netproxy.routes.wanted import Route
from tests.integration.netproxy.lab import CLIENT, NODES, PODS, Lab
from tests.netproxy.iptables.worlds import world

pytestmark = pytest.mark.integration

SITE = Site("10.244.0.0/16", "10.96.0.0/16", "10.244.1.0/24", "10.96.0.10")
SERVICE, PORT, NODE_PORT = "10.96.1.1", 80, 30080
ALL = tuple(Target(address, 8080) for _node, address in PODS.values())
EMPTY = ServicePort("default/empty", Protocol.TCP, "10.96.1.2", 80, 30081)


def web(*targets: Target) -> ServicePort:
    return ServicePort("default/web", Protocol.TCP, SERVICE, PORT, NODE_PORT, targets)


class Nodes:
    """The proxies of both nodes."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._filters = {node: IptablesFilter(KernelTool()) for node in NODES}

    async def apply(self, *ports: ServicePort) -> list[Applied]:
        async def one(node: str) -> Applied:
            site = replace(SITE, pod_cidr=f"10.244.{node[1:]}.0/24")
            wanted = Forwarding(site, ports)
            return await self.lab.inside(node, lambda: self._filters[node].apply(wanted))

        return [await one(node) for node in NODES]

    def forget(self) -> None:
        for one in self._filters.values():
            one.forget()

    async def remove(self) -> None:
        for node, one in self._filters.items():
            await self.lab.inside(node, one.remove)

    async def prepare(self) -> None:
        """Switches, routes, and a route to the services from the machine outside."""
        first, second = NODES.values()
        for node, own, other, cidr in (
            ("n1", first, second, "10.244.2.0/24"),
            ("n2", second, first, "10.244.1.0/24"),
        ):
            routes = frozenset({Route("10.96.0.0/16", source=own), Route(cidr, other)})
            assert await self.lab.inside(node, sysctls.prepare) == []
            assert await self.lab.inside(node, partial(kernel.apply, routes)) == []
        self.lab.ip("-n", self.lab.name("client"), "route", "add", "10.96.0.0/16", "via", first)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


@pytest.fixture
async def nodes(lab: Lab) -> AsyncIterator[Nodes]:
    made = Nodes(lab)
    lab.run("client", "ip", "route", "flush", "10.96.0.0/16")
    await made.prepare()
    servers = [await lab.serve(pod, 8080) for pod in PODS]
    yield made
    for server in servers:
        server.close()
    await made.remove()


@pytest.mark.parametrize("place", ["n1", "a", "b", "c", "client"])
async def test_the_service_address_answers_from_everywhere(nodes: Nodes, place: str) -> None:
    await nodes.apply(web(*ALL))
    said = [await nodes.lab.ask(place, SERVICE, PORT) for _ in range(40)]
    assert {who for who, _source in said} == set(PODS)
    if place in PODS:
        own = PODS[place][1]
        others = {source for who, source in said if who != place}
        assert others == {own}, "a pod keeps its address inside the cluster"
        assert {source for who, source in said if who == place}.isdisjoint({own})


@pytest.mark.parametrize(
    ("place", "node"), [("client", "n1"), ("client", "n2"), ("n1", "n1"), ("a", "n2")]
)
async def test_the_node_port_answers_on_every_node(nodes: Nodes, place: str, node: str) -> None:
    await nodes.apply(web(*ALL))
    said = [await nodes.lab.ask(place, NODES[node], NODE_PORT) for _ in range(30)]
    assert {who for who, _source in said} == set(PODS)


async def test_the_choice_is_even(nodes: Nodes) -> None:
    await nodes.apply(web(*ALL))
    counts = Counter([(await nodes.lab.ask("n2", SERVICE, PORT))[0] for _ in range(600)])
    # 600 draws of 1/3: five standard deviations are 58.
    assert all(140 < counts[pod] < 260 for pod in PODS), counts


@pytest.mark.parametrize("place", ["n1", "a", "client"])
async def test_no_ready_endpoint_is_an_immediate_refusal(nodes: Nodes, place: str) -> None:
    await nodes.apply(web(), EMPTY)
    for address, port in (
        (SERVICE, PORT),
        ("10.96.1.2", 80),
        ("10.96.77.7", 80),  # nobody's
        (NODES["n1"], 30081),
    ):
        begun = time.perf_counter()
        with pytest.raises(ConnectionRefusedError):
            await nodes.lab.ask(place, address, port)
        assert time.perf_counter() - begun < 0.5


async def test_pods_reach_pods_of_other_nodes_directly(nodes: Nodes) -> None:
    await nodes.apply()
    assert await nodes.lab.ask("a", PODS["c"][1], 8080) == ("c", PODS["a"][1])
    assert await nodes.lab.ask("c", PODS["b"][1], 8080) == ("b", PODS["c"][1])


async def test_a_pod_leaves_the_cluster_under_its_nodes_address(nodes: Nodes) -> None:
    await nodes.apply()
    server = await nodes.lab.serve("client", 9090)
    assert await nodes.lab.ask("a", CLIENT, 9090) == ("client", NODES["n1"])
    server.close()


async def test_forwarding_passes_where_the_policy_is_drop(nodes: Nodes) -> None:
    for node in NODES:
        nodes.lab.run(node, "iptables", "-P", "FORWARD", "DROP")
    try:
        await nodes.apply(web(*ALL))
        said = {(await nodes.lab.ask("a", SERVICE, PORT))[0] for _ in range(30)}
        assert said == set(PODS)
        assert (await nodes.lab.ask("client", NODES["n1"], NODE_PORT))[0] in PODS
    finally:
        for node in NODES:
            nodes.lab.run(node, "iptables", "-P", "FORWARD", "ACCEPT")


async def test_a_rolling_change_loses_no_connection(nodes: Nodes) -> None:
    """I6: targets come and go while clients connect; each connection is answered."""
    await nodes.apply(web(*ALL))
    stop = asyncio.Event()
    answered: Counter[str] = Counter()

    async def connect(place: str) -> None:
        while not stop.is_set():
            answered[(await nodes.lab.ask(place, SERVICE, PORT))[0]] += 1

    clients = [asyncio.create_task(connect(place)) for place in ("n1", "a", "client")]
    for turn in range(12):
        left = tuple(target for place, target in enumerate(ALL) if place != turn % 3)
        await nodes.apply(web(*left))
    stop.set()
    await asyncio.gather(*clients)
    assert sum(answered.values()) > 50
    assert set(answered) == set(PODS)


async def test_a_target_that_left_gets_no_new_connection(nodes: Nodes) -> None:
    await nodes.apply(web(*ALL))
    first, second = await nodes.apply(web(*ALL[:2]))
    assert first == second == Applied(written=1, deleted=1)
    said = {(await nodes.lab.ask("n1", SERVICE, PORT))[0] for _ in range(40)}
    assert said == {"a", "b"}


@pytest.mark.parametrize("flavour", ["iptables-nft", "iptables-legacy"])
async def test_the_kernel_prints_what_the_fake_prints(lab: Lab, flavour: str) -> None:
    """Conformance: the same transactions leave the same text in the fake and in both flavours."""

    class Flavour(KernelTool):
        async def _run(self, command: list[str], stdin: str) -> str:
            return await super()._run(
                [command[0].replace("iptables", flavour), *command[1:]], stdin
            )

    fake, real = FakeIptables(), Flavour()
    filters = IptablesFilter(fake), IptablesFilter(real)
    less = replace(world(), ports=world().ports[1:])
    for wanted in (world(), less, world(), Forwarding(SITE)):
        await filters[0].apply(wanted)
        await lab.inside("lan", partial(filters[1].apply, wanted))
        for table in ("nat", "filter"):
            saved = await lab.inside("lan", partial(real.save, table))
            assert rules(saved) == rules(fake.print(table))
    filters[1].forget()
    assert await lab.inside("lan", lambda: filters[1].apply(Forwarding(SITE))) == Applied()
    await lab.inside("lan", filters[1].remove)
    for table in ("nat", "filter"):
        assert "HOLDFAST" not in await lab.inside("lan", partial(real.save, table))


def rules(saved: str) -> dict[str, list[str]]:
    """Chain → its rules, in order; the order of chains tells nothing."""
    chains: dict[str, list[str]] = {}
    for line in saved.splitlines():
        if line.startswith("-A "):
            _, chain, rule = line.split(" ", 2)
            chains.setdefault(chain, []).append(rule)
    return chains


async def test_flushed_rules_come_back(nodes: Nodes) -> None:
    await nodes.apply(web(*ALL))
    nodes.lab.run("n1", "iptables", "-t", "nat", "-F")
    nodes.lab.run("n1", "iptables", "-F")
    nodes.forget()
    await nodes.apply(web(*ALL))
    assert (await nodes.lab.ask("n1", SERVICE, PORT))[0] in PODS


async def test_removal_leaves_foreign_rules_and_nothing_of_ours(nodes: Nodes) -> None:
    nodes.lab.run("n1", "iptables", "-N", "FOREIGN")
    nodes.lab.run("n1", "iptables", "-I", "FORWARD", "-j", "FOREIGN")
    await nodes.apply(web(*ALL), EMPTY)
    await nodes.remove()
    left = nodes.lab.run("n1", "iptables-save")
    assert "HOLDFAST" not in left
    assert "-A FORWARD -j FOREIGN" in left
    nodes.lab.run("n1", "iptables", "-D", "FORWARD", "-j", "FOREIGN")
    nodes.lab.run("n1", "iptables", "-X", "FOREIGN")


async def test_udp_flows_to_a_target_that_left_are_forgotten(nodes: Nodes) -> None:
    def dns(*targets: Target) -> ServicePort:
        return ServicePort("default/dns", Protocol.UDP, "10.96.1.3", 53, 0, targets)

    loop = asyncio.get_running_loop()
    received: asyncio.Queue[str] = asyncio.Queue()

    class Pod(asyncio.DatagramProtocol):
        def __init__(self, name: str) -> None:
            self.name = name

        def datagram_received(self, data: bytes, _addr: object) -> None:
            received.put_nowait(self.name)

    transports = []
    for pod in ("a", "b"):
        listening = nodes.lab.socket(pod, 2)
        listening.bind(("0.0.0.0", 53))
        transport, _ = await loop.create_datagram_endpoint(partial(Pod, pod), sock=listening)
        transports.append(transport)
    client = nodes.lab.socket("n1", 2)
    client.bind(("0.0.0.0", 5555))
    both = Target(PODS["a"][1], 53), Target(PODS["b"][1], 53)
    await nodes.apply(dns(*both))
    client.sendto(b"x", ("10.96.1.3", 53))
    first = await asyncio.wait_for(received.get(), 2)
    left = both[1] if first == "a" else both[0]
    await nodes.apply(dns(left))
    flows = conntrack.stale([dns(*both)], [dns(left)])
    await nodes.lab.inside("n1", lambda: conntrack.forget(flows, "10.96.0.0/16"))
    client.sendto(b"x", ("10.96.1.3", 53))
    assert await asyncio.wait_for(received.get(), 2) != first
    client.close()
    for transport in transports:
        transport.close()
    await asyncio.sleep(0)
