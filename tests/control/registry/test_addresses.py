"""Service IPs, node ports and pod ranges: unique, kept, freed with their owner."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from holdfast.api.errors import ApiError, Reason
from holdfast.control.registry import Intent, Ranges, Verb
from tests.control.registry.world import World, node, service, world

SMALL = Ranges(
    services=IPv4Network("10.96.0.0/28"),
    pods=IPv4Network("10.244.0.0/23"),
    node_ports=(30000, 30001),
    dns_ip="10.96.0.10",
)


async def test_a_service_gets_an_address_for_life(there: World) -> None:
    created = (await there.create("services", service())).message
    address = created.spec.clusterIP
    assert IPv4Address(address) in IPv4Network("10.96.0.0/16")
    assert IPv4Address(address) > IPv4Address("10.96.1.0"), "the first ones are for people"
    assert list(created.spec.clusterIPs) == [address]
    changed = service(port=81)
    assert (await there.update("services", changed)).message.spec.clusterIP == address
    moved = there.copy("services", "web")
    moved.spec.clusterIP = "10.96.0.77"
    with pytest.raises(ApiError, match=r"spec\.clusterIP.*immutable"):
        await there.update("services", moved)
    assert there.get("services", "web").spec.clusterIP == address
    await there.delete("services", "web")
    assert there.cache.get("~serviceips", "", address) is None


async def test_an_address_may_be_named(there: World) -> None:
    named = await there.create("services", service(clusterIP="10.96.0.50"))
    assert named.message.spec.clusterIP == "10.96.0.50"
    for wanted, why in [
        ("10.96.0.50", "taken by services default/web"),
        ("10.96.0.10", "taken by the cluster DNS"),
        ("10.97.0.1", "not an address of the service range"),
        ("10.96.255.255", "not an address of the service range"),
    ]:
        with pytest.raises(ApiError, match=why) as refused:
            await there.create("services", service("other", clusterIP=wanted))
        assert [cause.field for cause in refused.value.causes] == ["spec.clusterIP"]
    assert there.get("services", "other") is None
    await there.delete("services", "web")
    await there.create("services", service("other", clusterIP="10.96.0.50"))


async def test_headless_and_external_services_have_none(there: World) -> None:
    headless = await there.create("services", service("h", clusterIP="None"))
    assert headless.message.spec.clusterIP == "None"
    external = service("e", type="ExternalName", externalName="example.com")
    del external.spec.ports[:]
    assert (await there.create("services", external)).message.spec.clusterIP == ""
    assert there.cache.count("~serviceips") == 2, "the API's and the DNS's"


async def test_becoming_external_gives_the_address_back(there: World) -> None:
    created = await there.create("services", service())
    address = created.message.spec.clusterIP
    external = service(type="ExternalName", externalName="example.com")
    await there.update("services", external)
    assert there.get("services", "web").spec.clusterIP == ""
    assert there.cache.get("~serviceips", "", address) is None
    back = await there.update("services", service())
    assert there.cache.get("~serviceips", "", back.message.spec.clusterIP) is not None


async def test_node_ports(there: World) -> None:
    created = (await there.create("services", service(type="NodePort"))).message
    port = created.spec.ports[0].nodePort
    assert 30000 <= port <= 32767
    carried = service(type="NodePort")
    assert (await there.update("services", carried)).message.spec.ports[0].nodePort == port
    clash = service("other", type="NodePort")
    clash.spec.ports[0].nodePort = port
    with pytest.raises(ApiError, match="taken by services default/web") as refused:
        await there.create("services", clash)
    assert refused.value.causes[0].field == "spec.ports[0].nodePort"
    assert len(there.registry._reserved) == 0, "a refused service holds no address"
    plain = there.copy("services", "web")
    plain.spec.type = "ClusterIP"
    assert (await there.update("services", plain)).message.spec.ports[0].nodePort == 0
    assert there.cache.count("~nodeports") == 0
    await there.create("services", clash)
    await there.delete("services", "other")
    assert there.cache.count("~nodeports") == 0


async def test_one_node_port_of_a_service_may_serve_two_protocols(there: World) -> None:
    dns = service("dns", 53, type="NodePort")
    dns.spec.ports[0].name, dns.spec.ports[0].nodePort = "tcp", 30053
    dns.spec.ports.add(name="udp", port=53, protocol="UDP", nodePort=30053)
    await there.create("services", dns)
    assert there.cache.count("~nodeports") == 1


async def test_used_up_ranges_say_so(tmp_path: Path) -> None:
    async with world(tmp_path / "d", ranges=SMALL) as there:
        for number in range(2):
            await there.create("services", service(f"n{number}", type="NodePort"))
        with pytest.raises(ApiError, match="every address of the range of node ports 30000-30001"):
            await there.create("services", service("n2", type="NodePort"))
        for number in range(10):
            await there.create("services", service(f"s{number}"))
        with pytest.raises(ApiError, match=r"service range 10\.96\.0\.0/28 is taken") as refused:
            await there.create("services", service("last"))
        assert refused.value.reason is Reason.UNAVAILABLE
        await there.delete("services", "s3")
        await there.create("services", service("last"))


async def test_services_created_at_once_never_share(tmp_path: Path) -> None:
    async with world(tmp_path / "d", ranges=SMALL) as there:
        created = await asyncio.gather(
            *(there.create("services", service(f"s{number}")) for number in range(12))
        )
    addresses = {entry.message.spec.clusterIP for entry in created}
    assert len(addresses) == 12


async def test_nodes_get_blocks_in_order_until_there_are_none(tmp_path: Path) -> None:
    async with world(tmp_path / "d", ranges=SMALL) as there:
        created = await asyncio.gather(*(there.create("nodes", node(f"n{i}")) for i in range(3)))
        blocks = [entry.message.spec.podCIDR for entry in created]
        assert blocks == ["10.244.0.0/24", "10.244.1.0/24", ""]
        assert list(created[0].message.spec.podCIDRs) == ["10.244.0.0/24"]
        await there.delete("nodes", "n0", "")
        again = there.copy("nodes", "n2", "")
        again.metadata.labels["x"] = "y"
        assert (await there.update("nodes", again)).message.spec.podCIDR == "10.244.0.0/24"
        foreign = node("f")
        foreign.spec.podCIDR = "10.1.0.0/24"
        with pytest.raises(ApiError, match="not a /24 block of the pod range"):
            await there.create("nodes", foreign)


async def test_an_update_keeps_the_block(there: World) -> None:
    created = (await there.create("nodes", node())).message
    bare = node()
    bare.metadata.labels["x"] = "y"
    assert (await there.update("nodes", bare)).message.spec.podCIDR == created.spec.podCIDR


async def test_many_services_in_one_batch(there: World) -> None:
    intents = [Intent(Verb.CREATE, "services", "", "", service(f"s{n}")) for n in range(50)]
    answers = await there.commit(*intents)
    addresses = {answer.entry.message.spec.clusterIP for answer in answers}  # type: ignore[union-attr]
    assert len(addresses) == 50


def test_ranges_that_cannot_work() -> None:
    with pytest.raises(ValueError, match="too small"):
        Ranges(services=IPv4Network("10.96.0.0/30"))
    with pytest.raises(ValueError, match="overlaps"):
        Ranges(services=IPv4Network("10.244.0.0/20"))
    with pytest.raises(ValueError, match="cannot be cut"):
        Ranges(node_prefix=12)
    with pytest.raises(ValueError, match="no range"):
        Ranges(node_ports=(9, 2))


async def test_a_block_that_was_given_back_is_given_again_when_those_behind_are_gone(
    there: World,
) -> None:
    for name in ("a", "b", "c"):
        await there.create("nodes", node(name))
    await there.delete("nodes", "a", "")
    assert (await there.create("nodes", node("d"))).message.spec.podCIDR == "10.244.3.0/24"
    for name in ("b", "c", "d"):
        await there.delete("nodes", name, "")
    assert (await there.create("nodes", node("e"))).message.spec.podCIDR == "10.244.0.0/24"
