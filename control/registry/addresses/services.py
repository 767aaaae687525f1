"""The cluster IP and the node ports of a Service. Pure module.

A Service keeps its IP for life (promise I6): only a change to ExternalName gives it back. Rules
as Kubernetes' service storage: what an update leaves empty is carried over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.api.errors import ApiError, Cause, CauseReason, Reason, invalid
from holdfast.control.registry.addresses.pools import Pool
from holdfast.control.registry.addresses.ranges import Ranges
from holdfast.control.registry.drafts import Situation
from holdfast.control.store.commands import Write

SERVICE_IPS = "~serviceips"
NODE_PORTS = "~nodeports"
HEADLESS = "None"
EXTERNAL_NAME = "ExternalName"
_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


def ip_pool(ranges: Ranges) -> Pool:
    """All addresses of the service range but its first and last."""
    base = ranges.services.network_address + 1
    size = ranges.services.num_addresses - 2
    return Pool(SERVICE_IPS, size, lambda number: str(base + number), ranges.static_addresses)


def port_pool(ranges: Ranges) -> Pool:
    """All node ports."""
    low, high = ranges.node_ports
    return Pool(NODE_PORTS, high - low + 1, lambda number: str(low + number))


def claims(new: Any, old: Any, situation: Situation) -> list[Write]:
    """Fill in the addresses of a Service that is created (old None) or updated.

    Returns the writes that take and free them. Raises ApiError Invalid naming the field, or
    ServiceUnavailable when a range is used up.
    """
    owner = f"services {new.metadata.namespace}/{new.metadata.name}"
    writes = _claim_ip(new, old, situation, owner)
    return writes + _claim_ports(new, old, situation, owner)


def releases(old: Any, situation: Situation) -> list[Write]:
    """The writes that free everything a deleted Service had."""
    writes = []
    if _has_ip(old):
        writes += ip_pool(situation.ranges).free(situation, old.spec.clusterIP)
    return writes + _free_ports(dict.fromkeys(_ports(old)), situation)


def _has_ip(service: Any) -> bool:
    return service is not None and service.spec.clusterIP not in ("", HEADLESS)


def _claim_ip(new: Any, old: Any, situation: Situation, owner: str) -> list[Write]:
    spec = new.spec
    pool = ip_pool(situation.ranges)
    if spec.type == EXTERNAL_NAME:
        if spec.clusterIP and (old is None or spec.clusterIP != old.spec.clusterIP):
            raise _refused(new, "spec.clusterIP", "may not be set when type is ExternalName")
        spec.ClearField("clusterIP")
        spec.ClearField("clusterIPs")
        return pool.free(situation, old.spec.clusterIP) if _has_ip(old) else []
    before = "" if old is None or old.spec.type == EXTERNAL_NAME else old.spec.clusterIP
    if before and spec.clusterIP not in ("", before):
        raise _refused(new, "spec.clusterIP", "field is immutable: a service keeps its address")
    writes = []
    if before:
        spec.clusterIP = before
    elif not spec.clusterIP:
        spec.clusterIP = _chosen(pool, situation, "service range", str(situation.ranges.services))
        writes = [pool.take(situation, spec.clusterIP, owner)]
    elif spec.clusterIP != HEADLESS:
        writes = [_take_named_ip(new, pool, situation, owner)]
    if list(spec.clusterIPs) not in ([], [spec.clusterIP]):
        raise _refused(new, "spec.clusterIPs", "must be the one address in spec.clusterIP")
    spec.clusterIPs[:] = [spec.clusterIP]
    return writes


def _take_named_ip(new: Any, pool: Pool, situation: Situation, owner: str) -> Write:
    address = new.spec.clusterIP
    if not situation.ranges.holds_service(address):
        why = f'"{address}" is not an address of the service range {situation.ranges.services}'
        raise _refused(new, "spec.clusterIP", why)
    taken_by = pool.owner(situation, address)
    if taken_by:
        raise _refused(new, "spec.clusterIP", f"{address} is taken by {taken_by}")
    return pool.take(situation, address, owner)


def _claim_ports(new: Any, old: Any, situation: Situation, owner: str) -> list[Write]:
    before = dict.fromkeys(_ports(old))
    if new.spec.type not in _WITH_NODE_PORTS:
        _drop_carried_ports(new, old)
        return _free_ports(before, situation)
    _carry_ports(new, old)
    pool = port_pool(situation.ranges)
    after = dict.fromkeys(_ports(new))
    named = [number for number in after if number not in before]
    writes = [_take_named_port(new, number, situation, owner) for number in named]
    for port in new.spec.ports:
        if not port.nodePort:
            low, high = situation.ranges.node_ports
            chosen = _chosen(pool, situation, "range of node ports", f"{low}-{high}")
            port.nodePort = int(chosen)
            after[port.nodePort] = None
            writes.append(pool.take(situation, chosen, owner))
    return writes + _free_ports((port for port in before if port not in after), situation)


def _take_named_port(new: Any, number: int, situation: Situation, owner: str) -> Write:
    index = next(i for i, port in enumerate(new.spec.ports) if port.nodePort == number)
    field = f"spec.ports[{index}].nodePort"
    low, high = situation.ranges.node_ports
    if not low <= number <= high:
        raise _refused(new, field, f"{number} is not one of the node ports {low}-{high}")
    pool = port_pool(situation.ranges)
    taken_by = pool.owner(situation, str(number))
    if taken_by:
        raise _refused(new, field, f"port {number} is taken by {taken_by}")
    return pool.take(situation, str(number), owner)


def _ports(service: Any) -> Iterable[int]:
    if service is None:
        return []
    return [port.nodePort for port in service.spec.ports if port.nodePort]


def _carry_ports(new: Any, old: Any) -> None:
    """A port that an update leaves without a node port keeps the one it has."""
    if old is None:
        return
    named = dict.fromkeys(_ports(new))
    known = {(port.port, port.protocol): port.nodePort for port in old.spec.ports}
    for port in new.spec.ports:
        carried = known.get((port.port, port.protocol), 0)
        if not port.nodePort and carried and carried not in named:
            port.nodePort = carried


def _drop_carried_ports(new: Any, old: Any) -> None:
    """A Service that stops being NodePort loses the node ports it only carries along."""
    before = dict.fromkeys(_ports(old))
    for port in new.spec.ports:
        if port.nodePort in before:
            port.ClearField("nodePort")


def _free_ports(ports: Iterable[int], situation: Situation) -> list[Write]:
    pool = port_pool(situation.ranges)
    return [write for port in ports for write in pool.free(situation, str(port))]


def _chosen(pool: Pool, situation: Situation, what: str, bounds: str) -> str:
    address = pool.choose(situation)
    if address is None:
        raise ApiError(Reason.UNAVAILABLE, f"every address of the {what} {bounds} is taken")
    return address


def _refused(service: Any, field: str, why: str) -> ApiError:
    cause = Cause(CauseReason.INVALID, field, why)
    return invalid("Service", service.metadata.name, [cause])
