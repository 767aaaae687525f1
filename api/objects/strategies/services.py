"""Services: defaults and rules (pkg/apis/core/v1/defaults.go, validation ValidateService).

Addresses and node ports are given by the registry after defaulting; what it finds set it keeps.
Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from holdfast.api import names
from holdfast.api.objects import intorstring, labels

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.objects.findings import Findings

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
AFFINITIES = ("ClientIP", "None")
POLICIES = ("Cluster", "Local")
HEADLESS = "None"
NODE_PORT_MIN, NODE_PORT_MAX = 30000, 32767
AFFINITY_TIMEOUT_S = 10800

_EXTERNAL = ("NodePort", "LoadBalancer")  # reachable from outside the cluster


def default(service: core.Service) -> None:
    """ClusterIP over IPv4, TCP, the target port like the port, traffic to every node."""
    spec = service.spec
    if not spec.type:
        spec.type = "ClusterIP"
    if not spec.sessionAffinity:
        spec.sessionAffinity = "None"
    if spec.sessionAffinity == "ClientIP":
        client = spec.sessionAffinityConfig.clientIP
        if not client.HasField("timeoutSeconds"):
            client.timeoutSeconds = AFFINITY_TIMEOUT_S
    for port in spec.ports:
        if not port.protocol:
            port.protocol = "TCP"
        target = port.targetPort
        if not target.strVal and not target.intVal:
            intorstring.set_number(target, port.port)
    if spec.type not in _EXTERNAL and spec.externalTrafficPolicy == "Cluster":
        spec.ClearField("externalTrafficPolicy")  # left over from another type
    if spec.type != "ExternalName":
        _default_addressing(spec)


def _default_addressing(spec: core.ServiceSpec) -> None:
    if spec.type in _EXTERNAL and not spec.externalTrafficPolicy:
        spec.externalTrafficPolicy = "Cluster"
    if not spec.HasField("internalTrafficPolicy"):
        spec.internalTrafficPolicy = "Cluster"
    if not spec.HasField("ipFamilyPolicy"):
        spec.ipFamilyPolicy = "SingleStack"
    if not spec.ipFamilies:
        spec.ipFamilies.append("IPv4")
    if spec.clusterIP and not spec.clusterIPs:
        spec.clusterIPs.append(spec.clusterIP)


def validate(service: core.Service, found: Findings) -> None:
    """Everything in a Service's spec."""
    spec = service.spec
    found.one_of("spec.type", spec.type, TYPES)
    if spec.type == "ExternalName":
        _external_name(spec, found)
    elif not spec.ports and spec.clusterIP != HEADLESS:
        found.required("spec.ports")
    _ports(spec.ports, spec, found)
    if spec.selector:
        labels.validate(spec.selector, "spec.selector", found)
    found.one_of("spec.sessionAffinity", spec.sessionAffinity, AFFINITIES)
    for field in ("internalTrafficPolicy", "externalTrafficPolicy"):
        if value := getattr(spec, field):
            found.one_of(f"spec.{field}", value, POLICIES)
    if spec.externalTrafficPolicy and spec.type not in _EXTERNAL:
        detail = "may only be set for externally-accessible services"
        found.invalid("spec.externalTrafficPolicy", spec.externalTrafficPolicy, detail)
    _cluster_ip(spec, found)


def validate_update(old: core.Service, new: core.Service, found: Findings) -> None:
    """A Service keeps its address for life; only becoming an ExternalName gives it up."""
    before, after = old.spec, new.spec
    if "ExternalName" in (before.type, after.type):
        return
    if before.clusterIP and after.clusterIP != before.clusterIP:
        found.invalid("spec.clusterIP", after.clusterIP, "may not change once set")


def _external_name(spec: core.ServiceSpec, found: Findings) -> None:
    name = spec.externalName.removesuffix(".")
    found.name("spec.externalName", spec.externalName, names.subdomain(name) if name else "")
    if spec.clusterIP and spec.clusterIP != HEADLESS:
        detail = "may not be set when `type` is 'ExternalName'"
        found.forbidden("spec.clusterIP", detail)


def _cluster_ip(spec: core.ServiceSpec, found: Findings) -> None:
    address = spec.clusterIP
    if address and address != HEADLESS:
        found.rule("spec.clusterIP", address, names.ip(address))
    if address == HEADLESS and spec.type in _EXTERNAL:
        detail = "may not be set to 'None' for NodePort and LoadBalancer services"
        found.invalid("spec.clusterIP", address, detail)
    if spec.clusterIPs and spec.clusterIPs[0] != address:
        detail = "first value must match `clusterIP`"
        found.invalid("spec.clusterIPs[0]", spec.clusterIPs[0], detail)


def _ports(ports: Iterable[core.ServicePort], spec: core.ServiceSpec, found: Findings) -> None:
    several = len(spec.ports) > 1
    seen: set[tuple[str, object]] = set()

    def unique(place: tuple[str, object], path: str, value: object) -> None:
        if place in seen:
            found.duplicate(path, value)
        seen.add(place)

    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        if port.name:
            found.rule(f"{at}.name", port.name, names.label(port.name))
            unique(("name", port.name), f"{at}.name", port.name)
        elif several:
            found.required(f"{at}.name")
        if broken := names.port(port.port):
            found.invalid(f"{at}.port", port.port, broken)
        unique((port.protocol, port.port), at, f"{port.port}/{port.protocol}")
        found.one_of(f"{at}.protocol", port.protocol, PROTOCOLS)
        _target(port, f"{at}.targetPort", found)
        if port.nodePort:
            _node_port(port, spec.type, f"{at}.nodePort", found)
            unique(("node " + port.protocol, port.nodePort), f"{at}.nodePort", port.nodePort)


def _target(port: core.ServicePort, path: str, found: Findings) -> None:
    target = port.targetPort
    if intorstring.is_text(target):
        found.name(path, target.strVal, names.port_name(target.strVal) if target.strVal else "")
    elif target.intVal != port.port and (broken := names.port(target.intVal)):
        found.invalid(path, target.intVal, broken)


def _node_port(port: core.ServicePort, kind: str, path: str, found: Findings) -> None:
    if kind not in _EXTERNAL:
        found.forbidden(path, f"may not be used when `type` is '{kind}'")
    elif not NODE_PORT_MIN <= port.nodePort <= NODE_PORT_MAX:
        detail = (
            "provided port is not in the valid range. The range of valid ports is "
            f"{NODE_PORT_MIN}-{NODE_PORT_MAX}"
        )
        found.invalid(path, port.nodePort, detail)
