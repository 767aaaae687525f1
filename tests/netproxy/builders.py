"""Services, slices and nodes as short calls."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.discovery.v1 import discovery_pb2 as discovery
from holdfast.netproxy.forwarding import SERVICE_LABEL, Site

SITE = Site(
    cluster_cidr="10.244.0.0/16",
    service_cidr="10.96.0.0/16",
    pod_cidr="10.244.1.0/24",
    dns_address="10.96.0.10",
)


def service(
    name: str,
    address: str = "",
    *,
    ports: Iterable[tuple[str, int]] = (("", 80),),
    protocol: str = "TCP",
    node_port: int = 0,
    namespace: str = "default",
) -> core.Service:
    made = core.Service()
    made.metadata.name, made.metadata.namespace = name, namespace
    made.spec.clusterIP = address
    made.spec.type = "NodePort" if node_port else "ClusterIP"
    for port_name, number in ports:
        port = made.spec.ports.add(port=number, protocol=protocol)
        if port_name:
            port.name = port_name
        if node_port:
            port.nodePort = node_port
    return made


def endpoints(
    name: str,
    *addresses: str,
    ports: Iterable[tuple[str, int]] = (("", 8080),),
    protocol: str = "TCP",
    ready: bool = True,
    namespace: str = "default",
    suffix: str = "1",
) -> discovery.EndpointSlice:
    made = discovery.EndpointSlice(addressType="IPv4")
    made.metadata.name, made.metadata.namespace = f"{name}-{suffix}", namespace
    made.metadata.labels[SERVICE_LABEL] = name
    for port_name, number in ports:
        made.ports.add(name=port_name, port=number, protocol=protocol)
    for address in addresses:
        endpoint = made.endpoints.add(addresses=[address])
        endpoint.conditions.ready = ready
    return made


def node(name: str, pod_cidr: str, address: str) -> core.Node:
    made = core.Node()
    made.metadata.name = name
    made.spec.podCIDR = pod_cidr
    made.status.addresses.add(type="Hostname", address=name)
    made.status.addresses.add(type="InternalIP", address=address)
    return made
