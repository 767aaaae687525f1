"""Limits, name resolution and security, as the runtime is told them."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.specs import building, limits, resolution
from holdfast.node.specs.building import Place
from holdfast.node.specs.environment import ConfigError, Surroundings
from holdfast.node.specs.resolution import ClusterDns
from holdfast.runtime.interface import Dns, Image, Mount, PortMapping

HOST = Dns(("192.0.2.53",), ("example.com",), ("timeout:1",))
PLACE = Place("node-1", "192.0.2.1", Path("/data"), "/holdfast/n", 1 << 30, ClusterDns(host=HOST))
IMAGE = Image("sha256:0", ("i",), (), 1)


def pod(**resources):
    built = core.Pod()
    built.metadata.name, built.metadata.namespace, built.metadata.uid = "web", "shop", "u"
    container = built.spec.containers.add(name="main", image="i")
    for key, text in resources.items():
        bound, name = key.split("_")
        table = container.resources.limits if bound == "limit" else container.resources.requests
        table[name].string = text
    return built


def container_spec(built, **changes):
    arguments = {"volumes": {}, "image": IMAGE, **changes}
    wanted = built.spec.containers[0]
    return building.container(built, wanted, 0, Surroundings(), PLACE, **arguments)


@pytest.mark.parametrize(
    ("resources", "shares", "quota", "memory", "score"),
    [
        ({}, 2, 0, 0, 1000),
        ({"request_cpu": "100m"}, 102, 0, 0, 999),
        ({"limit_cpu": "500m"}, 512, 50_000, 0, 999),
        ({"limit_cpu": "1m"}, 2, 1_000, 0, 999),
        ({"request_memory": "512Mi"}, 2, 0, 0, 500),
        ({"limit_memory": "64Mi"}, 2, 0, 64 << 20, 999),
        (
            {
                "limit_cpu": "1",
                "limit_memory": "64Mi",
                "request_cpu": "1",
                "request_memory": "64Mi",
            },
            1024,
            100_000,
            64 << 20,
            -997,
        ),
    ],
)
def test_limits(resources, shares, quota, memory, score):
    built = pod(**resources)
    found = limits.of_container(built, built.spec.containers[0], PLACE.memory_bytes)
    assert found.cpu_shares == shares
    assert found.cpu_quota_us == quota
    assert found.memory_limit_bytes == memory
    assert found.oom_score_adj == score


def test_a_pod_is_limited_when_each_of_its_containers_is():
    built = pod(limit_memory="64Mi", request_cpu="100m")
    assert limits.of_pod(built).memory_limit_bytes == 64 << 20
    built.spec.containers.add(name="other", image="i")
    assert limits.of_pod(built).memory_limit_bytes == 0
    assert limits.of_pod(built).cpu_shares == 102


@pytest.mark.parametrize(
    ("policy", "host_network", "servers", "searches"),
    [
        (
            "ClusterFirst",
            False,
            ("10.96.0.10",),
            (
                "shop.svc.cluster.local",
                "svc.cluster.local",
                "cluster.local",
                "example.com",
            ),
        ),
        ("ClusterFirst", True, ("192.0.2.53",), ("example.com",)),
        ("Default", False, ("192.0.2.53",), ("example.com",)),
        ("None", False, (), ()),
    ],
)
def test_dns_policies(policy, host_network, servers, searches):
    built = pod()
    built.spec.dnsPolicy, built.spec.hostNetwork = policy, host_network
    found = resolution.of_pod(built, PLACE.dns)
    assert (found.servers, found.searches) == (servers, searches)


def test_dns_config_is_merged():
    built = pod()
    built.spec.dnsConfig.nameservers.append("192.0.2.54")
    built.spec.dnsConfig.options.add(name="ndots", value="2")
    found = resolution.of_pod(built, PLACE.dns)
    assert found.servers == ("10.96.0.10", "192.0.2.54")
    assert found.options == ("ndots:2",)


def test_resolv_conf_is_read_as_the_c_library_reads_it():
    text = "# no\nnameserver 192.0.2.53\nsearch a.example b.example ; no\noptions ndots:1 rotate\n"
    found = resolution.parse(text)
    assert found == Dns(("192.0.2.53",), ("a.example", "b.example"), ("ndots:1", "rotate"))


def test_hosts_file_has_subdomain_and_aliases():
    built = pod()
    built.spec.hostname, built.spec.subdomain = "db-0", "db"
    built.spec.hostAliases.add(ip="192.0.2.9", hostnames=["one", "two"])
    text = resolution.hosts_file(built, "10.0.0.9", "cluster.local")
    assert "10.0.0.9\tdb-0.db.shop.svc.cluster.local\tdb-0\n" in text
    assert text.endswith("192.0.2.9\tone\ttwo\n")


def test_sandbox():
    built = pod()
    built.spec.containers[0].ports.add(containerPort=80, hostPort=8080, protocol="TCP")
    found = building.sandbox(built, 3, PLACE)
    assert found.port_mappings == (PortMapping("TCP", 80, 8080, ""),)
    assert found.cgroup_parent == "/holdfast/n/podu"
    assert found.log_directory == "/data/logs/shop_web_u"
    assert (found.attempt, found.hostname) == (3, "web")
    built.spec.hostNetwork = True
    found = building.sandbox(built, 0, PLACE)
    assert found.port_mappings == ()
    assert found.hostname == "node-1"


def test_commands_are_expanded_and_volumes_mounted():
    built = pod()
    wanted = built.spec.containers[0]
    wanted.env.add(name="A", value="1")
    wanted.command.append("run")
    wanted.args.append("--a=$(A)")
    wanted.volumeMounts.add(name="data", mountPath="/data", readOnly=True)
    found = container_spec(built, volumes={"data": Path("/v")})
    assert (found.command, found.args) == (("run",), ("--a=1",))
    assert found.mounts[0] == Mount("/data", "/v", True)
    assert found.mounts[1].container_path == "/etc/hosts"
    assert found.log_path == "main/0.log"


def test_security_of_the_container_wins_over_the_pods():
    built = pod()
    built.spec.securityContext.runAsUser = 1000
    built.spec.securityContext.runAsGroup = 2000
    own = built.spec.containers[0].securityContext
    own.runAsUser, own.allowPrivilegeEscalation = 7, False
    own.capabilities.drop.append("ALL")
    found = container_spec(built).security
    assert (found.user, found.group) == (7, 2000)
    assert found.no_new_privileges
    assert found.capabilities_drop == ("ALL",)


@pytest.mark.parametrize(
    ("image", "user", "allowed"),
    [
        (IMAGE, None, False),
        (IMAGE, 0, False),
        (IMAGE, 5, True),
        (IMAGE._replace(user=5), None, True),
        (IMAGE._replace(username="app"), None, False),
    ],
)
def test_run_as_non_root(image, user, allowed):
    built = pod()
    own = built.spec.containers[0].securityContext
    own.runAsNonRoot = True
    if user is not None:
        own.runAsUser = user
    if allowed:
        container_spec(built, image=image)
    else:
        with pytest.raises(ConfigError, match="root"):
            container_spec(built, image=image)
