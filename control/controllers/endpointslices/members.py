"""The pods behind each Service, kept level without scanning: one look-up a changed pod.

A Service is filed under one pair of its selector, so a pod finds the Services that may select it
through its own labels. Of a pod only what an endpoint says is kept; a change that leaves it as it
was touches no Service. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from holdfast.api.objects import readiness

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.control.cache import Entry, Update
    from holdfast.control.controllers.decisions import View

Pair = tuple[str, str]
Service = tuple[str, str]


class Member(NamedTuple):
    """What an endpoint says of a pod. ports: (name, protocol) → number of its named ports."""

    name: str
    uid: str
    address: str
    node: str
    serving: bool
    terminating: bool
    hostname: str
    subdomain: str
    ports: tuple[tuple[str, str, int], ...]


class Members:
    """Members by Service, key (namespace, name)."""

    def __init__(self) -> None:
        self._selectors: dict[Service, dict[str, str]] = {}
        self._filed: dict[str, dict[Pair, dict[Service, None]]] = {}  # by namespace
        self._members: dict[Service, dict[str, Member]] = {}

    def of(self, service: Service) -> Mapping[str, Member]:
        """The members of a Service by pod name."""
        return self._members.get(service, {})

    def service_changed(self, view: View, update: Update) -> None:
        """Take a Service's selector; a new one is matched with the pods that are there."""
        entry = update.new or update.old
        if entry is None:
            return
        service = (entry.key.namespace, entry.key.name)
        selector = dict(update.new.message.spec.selector) if update.new else {}
        if selector == self._selectors.get(service, {}):
            return
        self._unfile(service)
        if not selector:
            return
        self._selectors[service] = selector
        filed = self._filed.setdefault(service[0], {})
        filed.setdefault(min(selector.items()), {})[service] = None
        found = self._members.setdefault(service, {})
        for pod in view.list("pods", service[0]):
            if _selects(selector, pod.message.metadata.labels):
                _put(found, pod.key.name, member(pod.message))

    def pod_changed(self, update: Update) -> list[Service]:
        """Take a pod's change; returns the Services it makes a difference to."""
        old, new = update.old, update.new
        entry = new or old
        if entry is None:
            return []
        namespace, name = entry.key.namespace, entry.key.name
        filed = self._filed.get(namespace)
        if not filed:
            return []
        now = dict.fromkeys(self._selecting(filed, new))
        before = [s for s in self._selecting(filed, old) if s not in now]
        fresh = member(new.message) if new is not None and now else None
        changed = [s for s in now if _put(self._members[s], name, fresh)]
        return changed + [s for s in before if _put(self._members[s], name, None)]

    def _selecting(
        self, filed: Mapping[Pair, Mapping[Service, None]], entry: Entry | None
    ) -> Iterable[Service]:
        if entry is None:
            return
        labels = entry.message.metadata.labels
        for pair in labels.items():
            for service in filed.get(pair, ()):
                if _selects(self._selectors[service], labels):
                    yield service

    def _unfile(self, service: Service) -> None:
        selector = self._selectors.pop(service, None)
        self._members.pop(service, None)
        if selector:
            filed = self._filed[service[0]]
            pair = min(selector.items())
            del filed[pair][service]
            if not filed[pair]:
                del filed[pair]
            if not filed:
                del self._filed[service[0]]


def member(pod: core.Pod) -> Member | None:
    """What an endpoint says of the pod; None when it is none: no address yet, or it has ended."""
    if not pod.status.podIP or readiness.pod_finished(pod):
        return None
    ports = tuple(
        (port.name, port.protocol or "TCP", port.containerPort)
        for container in pod.spec.containers
        for port in container.ports
        if port.name
    )
    return Member(
        pod.metadata.name,
        pod.metadata.uid,
        pod.status.podIP,
        pod.spec.nodeName,
        readiness.pod_ready(pod),
        pod.metadata.HasField("deletionTimestamp"),
        pod.spec.hostname,
        pod.spec.subdomain,
        ports,
    )


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def _put(members: dict[str, Member], name: str, fresh: Member | None) -> bool:
    """Put or take out one member; returns whether that changed anything."""
    if members.get(name) == fresh:
        return False
    if fresh is None:
        del members[name]
    else:
        members[name] = fresh
    return True
