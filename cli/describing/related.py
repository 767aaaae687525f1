"""What a page needs beside the object: its events, pods, ReplicaSets, endpoints.

The only module of this package that asks the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from holdfast.api import selectors
from holdfast.api.objects import owners

if TYPE_CHECKING:
    from holdfast.api.client import Client
    from holdfast.api.kinds import Kind

SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(slots=True)
class Related:
    """Messages beside the one that is described; events oldest first."""

    events: list[Any] = field(default_factory=list)
    pods: list[Any] = field(default_factory=list)
    replica_sets: list[Any] = field(default_factory=list)
    slices: list[Any] = field(default_factory=list)


async def gather(client: Client, kind: Kind, message: Any, *, events: bool) -> Related:
    """Ask for what the page of this kind shows. events: whether events are wanted."""
    found = Related()
    name, namespace = message.metadata.name, message.metadata.namespace
    if events and kind.resource != "events":
        found.events = await _events(client, kind, message)
    if kind.resource == "nodes":
        listed = await client.list("pods", fields=f"spec.nodeName={name}")
        found.pods = listed.objects
    elif kind.resource == "replicasets.apps":
        wanted = selectors.from_message(message.spec.selector)
        found.pods = [
            pod
            for pod in (await client.list("pods", namespace)).objects
            if wanted.matches(pod.metadata.labels)
            and owners.is_controlled_by(pod.metadata, message.metadata.uid)
        ]
    elif kind.resource == "deployments.apps":
        found.replica_sets = (await client.list("replicasets.apps", namespace)).objects
    elif kind.resource == "services":
        labels = f"{SERVICE_LABEL}={name}"
        listed = await client.list("endpointslices.discovery.k8s.io", namespace, labels=labels)
        found.slices = listed.objects
    return found


async def _events(client: Client, kind: Kind, message: Any) -> list[Any]:
    """By kind and name, then by uid where the event has one: an earlier object of the same name
    is another one. A node's events carry its name as uid, as the kubelet's do."""
    meta = message.metadata
    fields = f"involvedObject.kind={kind.kind},involvedObject.name={meta.name}"
    listed = await client.list("events", meta.namespace, fields=fields)
    same = {"", meta.uid, meta.name}
    found = [event for event in listed.objects if event.involvedObject.uid in same]
    return sorted(found, key=_when)


def _when(event: Any) -> tuple[int, str]:
    seen = event.lastTimestamp.seconds or event.eventTime.seconds
    return (seen or event.metadata.creationTimestamp.seconds, event.metadata.name)
