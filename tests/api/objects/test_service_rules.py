"""Rules and defaults of services and endpoint slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

TWO = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]

ROWS: list[tuple[dict[str, Any], str]] = [
    ({"type": "Magic"}, 'spec.type: Unsupported value: "Magic"'),
    ({"ports": []}, "spec.ports: Required value"),
    ({"ports": [{"port": 0}]}, "spec.ports[0].port: Invalid value: 0: must be between 1"),
    ({"ports": [{"port": 80}, {"name": "b", "port": 81}]}, "spec.ports[0].name: Required value"),
    ({"ports": [TWO[0], {**TWO[1], "name": "a"}]}, 'spec.ports[1].name: Duplicate value: "a"'),
    ({"ports": [TWO[0], {**TWO[1], "port": 80}]}, 'spec.ports[1]: Duplicate value: "80/TCP"'),
    ({"ports": [{"port": 80, "name": "A"}]}, 'spec.ports[0].name: Invalid value: "A"'),
    ({"ports": [{"port": 80, "protocol": "ICMP"}]}, "spec.ports[0].protocol: Unsupported"),
    ({"ports": [{"port": 80, "targetPort": "Bad_"}]}, "spec.ports[0].targetPort: Invalid"),
    ({"ports": [{"port": 80, "targetPort": 70000}]}, "spec.ports[0].targetPort: Invalid"),
    (
        {"ports": [{"port": 80, "nodePort": 30000}]},
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ),
    (
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
        "The range of valid ports is 30000-32767",
    ),
    (
        {"type": "NodePort", "ports": [{**port, "nodePort": 30001} for port in TWO]},
        "spec.ports[1].nodePort: Duplicate value: 30001",
    ),
    ({"clusterIP": "here"}, 'spec.clusterIP: Invalid value: "here": must be a valid IP'),
    ({"clusterIP": "None", "type": "NodePort"}, "may not be set to 'None' for NodePort"),
    ({"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.2"]}, "first value must match"),
    ({"type": "ExternalName"}, "spec.externalName: Required value"),
    ({"type": "ExternalName", "externalName": "a b"}, "spec.externalName: Invalid value"),
    ({"selector": {"a b": "c"}}, 'spec.selector: Invalid value: "a b"'),
    ({"sessionAffinity": "Always"}, "spec.sessionAffinity: Unsupported value"),
    ({"externalTrafficPolicy": "Local"}, "may only be set for externally-accessible"),
    ({"internalTrafficPolicy": "Here"}, "spec.internalTrafficPolicy: Unsupported value"),
]


@pytest.mark.parametrize(("spec", "cause"), ROWS)
def test_services(judge: Any, service: Callable[..., Any], spec: Any, cause: str) -> None:
    found = judge.causes("services", service(**spec))
    assert len(found) == 1, found
    assert cause in found[0]


FINE: list[dict[str, Any]] = [
    {},
    {"clusterIP": "None", "ports": []},
    {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
    {"type": "ExternalName", "externalName": "db.example.com.", "ports": []},
    {"ports": [{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"}]},
]


@pytest.mark.parametrize("spec", FINE)
def test_built_services_are_fine(judge: Any, service: Callable[..., Any], spec: Any) -> None:
    assert judge.causes("services", service(**spec)) == []
    assert judge.unbuilt("services", service(**spec)) == []


def test_names_of_services_start_with_a_letter(judge: Any, service: Callable[..., Any]) -> None:
    tree = service()
    tree["metadata"]["name"] = "9web"
    assert judge.causes("services", tree)[0].startswith('metadata.name: Invalid value: "9web"')


def test_defaults(judge: Any, service: Callable[..., Any]) -> None:
    assert judge.defaulted("services", service())["spec"] == {
        "type": "ClusterIP",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": ["IPv4"],
    }
    spec = judge.defaulted("services", service(type="NodePort"))["spec"]
    assert spec["externalTrafficPolicy"] == "Cluster"
    left_over = service(externalTrafficPolicy="Cluster")
    assert "externalTrafficPolicy" not in judge.defaulted("services", left_over)["spec"]


def test_a_service_keeps_its_address(judge: Any, service: Callable[..., Any]) -> None:
    old, new = service(clusterIP="10.96.0.9"), service(clusterIP="10.96.0.10")
    assert judge.update("services", old, new) == [
        'spec.clusterIP: Invalid value: "10.96.0.10": may not change once set'
    ]
    assert judge.update("services", service(), new) == []
    external = service(type="ExternalName", externalName="a.b")
    assert judge.update("services", old, external) == []


def _slice(**fields: Any) -> dict[str, Any]:
    meta = {"name": "web-1", "namespace": "default"}
    return {"metadata": meta, "addressType": "IPv4", "endpoints": [], "ports": [], **fields}


SLICE_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"addressType": "MAC"}, 'addressType: Unsupported value: "MAC"'),
    ({"endpoints": [{"addresses": []}]}, "endpoints[0].addresses: Required value"),
    ({"endpoints": [{"addresses": ["x"]}]}, "endpoints[0].addresses[0]: Invalid value"),
    ({"endpoints": [{"addresses": ["::1"]}]}, "must be an IPv4 address"),
    ({"endpoints": [{"addresses": ["1.1.1.1"] * 101}]}, "must have at most 100 items"),
    ({"endpoints": [{"addresses": ["1.1.1.1"]}] * 1001}, "must have at most 1000 items"),
    ({"endpoints": [{"addresses": ["1.1.1.1"], "nodeName": "_"}]}, "endpoints[0].nodeName"),
    ({"endpoints": [{"addresses": ["1.1.1.1"], "hostname": "_"}]}, "endpoints[0].hostname"),
    ({"ports": [{"port": 1}, {"port": 2}]}, 'ports[1].name: Duplicate value: ""'),
    ({"ports": [{"port": 70000}]}, "ports[0].port: Invalid value: 70000"),
    ({"ports": [{"name": "A", "port": 1}]}, 'ports[0].name: Invalid value: "A"'),
    ({"ports": [{"port": 1, "protocol": "X"}]}, "ports[0].protocol: Unsupported value"),
]


@pytest.mark.parametrize(("fields", "cause"), SLICE_ROWS)
def test_endpoint_slices(judge: Any, fields: Any, cause: str) -> None:
    found = judge.causes("endpointslices.discovery.k8s.io", _slice(**fields))
    assert len(found) == 1, found
    assert cause in found[0]


def test_the_address_type_stays(judge: Any) -> None:
    resource = "endpointslices.discovery.k8s.io"
    found = judge.update(resource, _slice(), _slice(addressType="IPv6"))
    assert found == ['addressType: Invalid value: "IPv6": field is immutable']
