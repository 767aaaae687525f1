"""Joins members and slices into one reconcile of a Service. Pure module.

Only slices labelled as managed by this controller are touched; a Service without a selector has
none of them (somebody else writes its endpoints), an ExternalName has none either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.api import kinds
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.discovery.v1 import discovery_pb2 as discovery
from holdfast.api.objects import intorstring, owners
from holdfast.control.controllers.decisions import (
    NOTHING,
    WRITES_MAX,
    Decision,
    Key,
    Order,
    Trigger,
    View,
)
from holdfast.control.controllers.endpointslices import slices
from holdfast.control.controllers.endpointslices.members import Member, Members
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.cache import Entry, Update

SERVICES = "services"
RESOURCE = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
US = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
NAME_PREFIX_MAX = 57


class EndpointSlices:
    """The controller. A key is a Service."""

    name = "endpointslice-controller"
    interval_s = 0.02

    def __init__(self) -> None:
        self._members = Members()
        self._read: dict[str, tuple[int, slices.Existing]] = {}  # uid → revision, what it says
        self.triggers: Mapping[str, Trigger] = {
            SERVICES: self._service_changed,
            "pods": self._pod_changed,
            RESOURCE: self._slice_changed,
        }

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        """The slices to create, change and delete for one Service."""
        entry = view.get(SERVICES, key.namespace, key.name)
        found = view.by_index(RESOURCE, "service", f"{key.namespace}/{key.name}")
        ours = {each.key.name: each for each in found if _is_ours(each)}
        if entry is None:
            return Decision([_deletion(each) for each in ours.values()][:WRITES_MAX])
        service: core.Service = entry.message
        if service.metadata.HasField("deletionTimestamp"):
            return NOTHING
        wanted: dict[slices.Group, dict[str, slices.Endpoint]] = {}
        if service.spec.type != "ExternalName":
            wanted = endpoints(service, self._members.of((key.namespace, key.name)).values())
        planned = slices.plan(wanted, [self._existing(each) for each in ours.values()])
        orders = [_update(service, ours[name], rows) for name, rows in planned.updated.items()]
        orders += [_creation(service, group, rows) for group, rows in planned.created]
        orders += [_deletion(ours[name]) for name in planned.deleted]
        relabelled = [
            _update(service, each, None)
            for name, each in ours.items()
            if name not in planned.updated
            and name not in planned.deleted
            and dict(each.message.metadata.labels) != _labels(service)
        ]
        orders += relabelled
        return Decision(orders[:WRITES_MAX], now if len(orders) > WRITES_MAX else None)

    def _service_changed(self, view: View, update: Update) -> Iterable[Key]:
        self._members.service_changed(view, update)
        entry = update.new or update.old
        return (Key(entry.key.namespace, entry.key.name),) if entry else ()

    def _pod_changed(self, _view: View, update: Update) -> Iterable[Key]:
        return [Key(*service) for service in self._members.pod_changed(update)]

    def _slice_changed(self, _view: View, update: Update) -> Iterable[Key]:
        if update.new is None and update.old is not None:
            self._read.pop(update.old.message.metadata.uid, None)
        keys: dict[Key, None] = {}
        for entry in (update.old, update.new):
            if entry is not None and _is_ours(entry):
                service = entry.message.metadata.labels.get(SERVICE_NAME, "")
                keys[Key(entry.key.namespace, service)] = None
        return keys

    def _existing(self, entry: Entry) -> slices.Existing:
        """What a slice says, read once a revision."""
        uid = entry.message.metadata.uid
        known = self._read.get(uid)
        if known is None or known[0] != entry.revision:
            known = (entry.revision, read(entry.key.name, entry.message))
            self._read[uid] = known
        return known[1]


def endpoints(
    service: core.Service, members: Iterable[Member]
) -> dict[slices.Group, dict[str, slices.Endpoint]]:
    """The endpoints a Service wants, by what its slices share."""
    named = any(intorstring.is_text(port.targetPort) for port in service.spec.ports)
    shared = None if named else _ports(service, ())
    found: dict[slices.Group, dict[str, slices.Endpoint]] = {}
    for member in members:
        ports = shared if shared is not None else _ports(service, member.ports)
        family = "IPv6" if ":" in member.address else "IPv4"
        group = slices.Group(family, ports)
        found.setdefault(group, {})[member.name] = slices.Endpoint(
            member.address,
            service.spec.publishNotReadyAddresses or (member.serving and not member.terminating),
            member.serving,
            member.terminating,
            member.node,
            member.name,
            member.uid,
            member.hostname if member.subdomain == service.metadata.name else "",
        )
    return found


def _ports(service: core.Service, named: Iterable[tuple[str, str, int]]) -> tuple[slices.Port, ...]:
    """The Service's ports as one pod has them; one that the pod does not name is left out."""
    numbers = {(name, protocol): number for name, protocol, number in named}
    found = []
    for port in service.spec.ports:
        protocol = port.protocol or "TCP"
        target = port.targetPort
        number: int | None = target.intVal or port.port
        if intorstring.is_text(target):
            number = numbers.get((target.strVal, protocol))
        if number is not None:
            found.append(slices.Port(port.name, protocol, number, port.appProtocol))
    return tuple(found)


def read(name: str, message: discovery.EndpointSlice) -> slices.Existing:
    """What a slice says."""
    ports = tuple(
        slices.Port(port.name, port.protocol, port.port, port.appProtocol) for port in message.ports
    )
    rows = {
        each.targetRef.name: slices.Endpoint(
            each.addresses[0] if each.addresses else "",
            each.conditions.ready,
            each.conditions.serving,
            each.conditions.terminating,
            each.nodeName,
            each.targetRef.name,
            each.targetRef.uid,
            each.hostname,
        )
        for each in message.endpoints
    }
    return slices.Existing(name, slices.Group(message.addressType, ports), rows)


def _write(message: discovery.EndpointSlice, rows: Iterable[slices.Endpoint]) -> None:
    del message.endpoints[:]
    for row in rows:
        each = message.endpoints.add()
        each.addresses.append(row.address)
        each.conditions.ready = row.ready
        each.conditions.serving = row.serving
        each.conditions.terminating = row.terminating
        if row.node:
            each.nodeName = row.node
        if row.hostname:
            each.hostname = row.hostname
        each.targetRef.kind = "Pod"
        each.targetRef.namespace = message.metadata.namespace
        each.targetRef.name = row.pod
        each.targetRef.uid = row.uid


def _creation(service: core.Service, group: slices.Group, rows: Iterable[slices.Endpoint]) -> Order:
    made = discovery.EndpointSlice(addressType=group.family)
    made.metadata.generateName = service.metadata.name[:NAME_PREFIX_MAX] + "-"
    made.metadata.namespace = service.metadata.namespace
    made.metadata.labels.update(_labels(service))
    kind = kinds.by_resource(SERVICES)
    made.metadata.ownerReferences.append(owners.controller_reference(kind, service))
    for port in group.ports:
        each = made.ports.add(name=port.name, protocol=port.protocol, port=port.number)
        if port.application:
            each.appProtocol = port.application
    _write(made, rows)
    return Order(Intent(Verb.CREATE, RESOURCE, made.metadata.namespace, "", made))


def _update(service: core.Service, entry: Entry, rows: Iterable[slices.Endpoint] | None) -> Order:
    """Change a slice's endpoints (None = keep them) and bring its labels up to date."""
    changed = discovery.EndpointSlice()
    changed.CopyFrom(entry.message)
    changed.metadata.labels.clear()
    changed.metadata.labels.update(_labels(service))
    if rows is not None:
        _write(changed, rows)
    return Order(Intent(Verb.UPDATE, *entry.key, message=changed, expect_revision=entry.revision))


def _labels(service: core.Service) -> dict[str, str]:
    """The Service's own labels, and those that say whose the slice is."""
    labels = {k: v for k, v in service.metadata.labels.items() if k != HEADLESS}
    if service.spec.clusterIP == "None":
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: service.metadata.name, MANAGED_BY: US}


def _deletion(entry: Entry) -> Order:
    return Order(Intent(Verb.DELETE, *entry.key, uid=entry.message.metadata.uid))


def _is_ours(entry: Entry) -> bool:
    return bool(entry.message.metadata.labels.get(MANAGED_BY) == US)
