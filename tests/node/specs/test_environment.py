"""A container's environment as Kubernetes resolves it."""

from __future__ import annotations

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.specs import environment
from holdfast.node.specs.environment import ConfigError, Surroundings


def pod():
    built = core.Pod()
    built.metadata.name, built.metadata.namespace, built.metadata.uid = "web", "shop", "u"
    built.metadata.labels["app"] = "web"
    built.spec.nodeName = "node-1"
    return built, built.spec.containers.add(name="main", image="i")


def config_map(**data):
    built = core.ConfigMap()
    for key, value in data.items():
        built.data[key] = value
    return built


def secret(**data):
    built = core.Secret()
    for key, value in data.items():
        built.data[key] = value
    return built


def test_values_refer_to_earlier_ones_and_escape():
    built, container = pod()
    container.env.add(name="A", value="1")
    container.env.add(name="B", value="$(A)-$(C)-$$(A)")
    container.env.add(name="C", value="3")
    found = environment.resolve(built, container, Surroundings())
    assert found == {"A": "1", "B": "1-$(C)-$(A)", "C": "3"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "node-1"),
        ("status.podIP", "10.0.0.9"),
        ("status.hostIP", "192.0.2.1"),
    ],
)
def test_fields_of_the_pod(path, value):
    built, container = pod()
    container.env.add(name="A").valueFrom.fieldRef.fieldPath = path
    around = Surroundings(pod_ip="10.0.0.9", host_ip="192.0.2.1")
    assert environment.resolve(built, container, around) == {"A": value}
    assert "none" not in built.metadata.annotations


def test_an_unknown_field_is_named():
    built, container = pod()
    container.env.add(name="A").valueFrom.fieldRef.fieldPath = "spec.colour"
    with pytest.raises(ConfigError, match=r'fieldPath "spec\.colour" is not supported'):
        environment.resolve(built, container, Surroundings())


def test_config_map_and_secret_keys():
    built, container = pod()
    one = container.env.add(name="A").valueFrom.configMapKeyRef
    one.localObjectReference.name, one.key = "cfg", "k"
    two = container.env.add(name="B").valueFrom.secretKeyRef
    two.localObjectReference.name, two.key = "sec", "p"
    around = Surroundings(config_maps={"cfg": config_map(k="v")}, secrets={"sec": secret(p=b"w")})
    assert environment.resolve(built, container, around) == {"A": "v", "B": "w"}
    assert environment.needs(built, container) == ({"cfg"}, {"sec"})


@pytest.mark.parametrize(
    ("around", "message"),
    [
        (Surroundings(), 'configmap "cfg" not found'),
        (
            Surroundings(config_maps={"cfg": config_map(x="y")}),
            "couldn't find key k in ConfigMap shop/cfg",
        ),
    ],
)
def test_what_is_missing_is_named_unless_optional(around, message):
    built, container = pod()
    wanted = container.env.add(name="A").valueFrom.configMapKeyRef
    wanted.localObjectReference.name, wanted.key = "cfg", "k"
    with pytest.raises(ConfigError) as raised:
        environment.resolve(built, container, around)
    assert str(raised.value) == message
    wanted.optional = True
    assert environment.resolve(built, container, around) == {}


def test_env_from_comes_first_with_prefix_and_without_bad_names():
    built, container = pod()
    source = container.envFrom.add(prefix="P_")
    source.configMapRef.localObjectReference.name = "cfg"
    container.env.add(name="P_a", value="mine")
    around = Surroundings(config_maps={"cfg": config_map(a="1", b="2", **{"c d": "3"})})
    assert environment.resolve(built, container, around) == {"P_a": "mine", "P_b": "2"}


def test_limits_with_a_divisor_and_the_nodes_share_when_there_is_none():
    built, container = pod()
    container.resources.limits["cpu"].string = "1500m"
    cpu = container.env.add(name="CPU").valueFrom.resourceFieldRef
    cpu.resource = "limits.cpu"
    memory = container.env.add(name="MEM").valueFrom.resourceFieldRef
    memory.resource, memory.divisor.string = "limits.memory", "1Mi"
    around = Surroundings(allocatable={"memory": "2048Ki"})
    assert environment.resolve(built, container, around) == {"CPU": "2", "MEM": "2"}


def test_services_of_the_namespace_and_the_api():
    built, container = pod()
    services = []
    for namespace, name in (("shop", "my-db"), ("other", "x"), ("default", "kubernetes")):
        service = core.Service()
        service.metadata.namespace, service.metadata.name = namespace, name
        service.spec.clusterIP = "10.96.0.7"
        service.spec.ports.add(name="sql", port=5432, protocol="TCP")
        services.append(service)
    around = Surroundings(services=tuple(services))
    found = environment.resolve(built, container, around)
    assert found["MY_DB_SERVICE_HOST"] == "10.96.0.7"
    assert found["MY_DB_SERVICE_PORT_SQL"] == "5432"
    assert found["MY_DB_PORT_5432_TCP_ADDR"] == "10.96.0.7"
    assert not any(name.startswith("X_") for name in found)
    built.spec.enableServiceLinks = False
    found = environment.resolve(built, container, around)
    assert {name.partition("_")[0] for name in found} == {"KUBERNETES"}
