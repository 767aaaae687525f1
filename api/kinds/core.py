"""The kinds of the core group and of events.k8s.io. Pure module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from holdfast.api.kinds.columns import cluster, pods, services
from holdfast.api.kinds.kind import Kind

_MODULE = "core.v1.core_pb2"


def _flag(value: bool) -> str:
    return "true" if value else "false"


_POD_FIELDS: Mapping[str, Callable[[Any], str]] = {
    "spec.nodeName": lambda pod: pod.spec.nodeName,
    "spec.restartPolicy": lambda pod: pod.spec.restartPolicy,
    "spec.schedulerName": lambda pod: pod.spec.schedulerName,
    "spec.serviceAccountName": lambda pod: pod.spec.serviceAccountName,
    "spec.hostNetwork": lambda pod: _flag(pod.spec.hostNetwork),
    "status.phase": lambda pod: pod.status.phase,
    "status.podIP": lambda pod: pod.status.podIP,
    "status.podIPs": lambda pod: ",".join(ip.ip for ip in pod.status.podIPs),
    "status.nominatedNodeName": lambda pod: pod.status.nominatedNodeName,
}

_EVENT_FIELDS: Mapping[str, Callable[[Any], str]] = {
    "involvedObject.kind": lambda event: event.involvedObject.kind,
    "involvedObject.namespace": lambda event: event.involvedObject.namespace,
    "involvedObject.name": lambda event: event.involvedObject.name,
    "involvedObject.uid": lambda event: event.involvedObject.uid,
    "involvedObject.apiVersion": lambda event: event.involvedObject.apiVersion,
    "involvedObject.resourceVersion": lambda event: event.involvedObject.resourceVersion,
    "involvedObject.fieldPath": lambda event: event.involvedObject.fieldPath,
    "reason": lambda event: event.reason,
    "reportingComponent": lambda event: event.reportingComponent,
    "source": lambda event: event.source.component or event.reportingComponent,
    "type": lambda event: event.type,
}

_BUILT = (
    Kind(
        "", "v1", "Pod", "pods", _MODULE, ("po",),
        categories=("all",),
        subresources=("binding", "exec", "log", "status"),
        columns=pods.PODS,
        selectable=_POD_FIELDS,
        built=True,
    ),
    Kind(
        "", "v1", "Service", "services", _MODULE, ("svc",),
        categories=("all",),
        subresources=("status",),
        columns=services.SERVICES,
        selectable={
            "spec.clusterIP": lambda service: service.spec.clusterIP,
            "spec.type": lambda service: service.spec.type,
        },
        built=True,
    ),
    Kind(
        "", "v1", "Node", "nodes", _MODULE, ("no",),
        namespaced=False,
        subresources=("status",),
        columns=cluster.NODES,
        selectable={"spec.unschedulable": lambda node: _flag(node.spec.unschedulable)},
        built=True,
    ),
    Kind(
        "", "v1", "Namespace", "namespaces", _MODULE, ("ns",),
        namespaced=False,
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        subresources=("finalize", "status"),
        columns=cluster.NAMESPACES,
        selectable={"status.phase": lambda namespace: namespace.status.phase},
        built=True,
    ),
    Kind(
        "", "v1", "ConfigMap", "configmaps", _MODULE, ("cm",),
        columns=cluster.CONFIG_MAPS,
        built=True,
    ),
    Kind(
        "", "v1", "Secret", "secrets", _MODULE,
        columns=cluster.SECRETS,
        selectable={"type": lambda secret: secret.type},
        built=True,
    ),
    Kind(
        "", "v1", "ServiceAccount", "serviceaccounts", _MODULE, ("sa",),
        columns=cluster.SERVICE_ACCOUNTS,
        built=True,
    ),
    Kind(
        "", "v1", "Event", "events", _MODULE, ("ev",),
        columns=cluster.EVENTS,
        selectable=_EVENT_FIELDS,
        built=True,
    ),
)  # fmt: skip

_KNOWN = (
    Kind("", "v1", "Binding", "bindings", _MODULE, verbs=("create",)),
    Kind(
        "", "v1", "ComponentStatus", "componentstatuses", _MODULE, ("cs",),
        namespaced=False,
        verbs=("get", "list"),
    ),
    Kind("", "v1", "Endpoints", "endpoints", _MODULE, ("ep",), columns=services.ENDPOINTS),
    Kind("", "v1", "LimitRange", "limitranges", _MODULE, ("limits",)),
    Kind(
        "", "v1", "PersistentVolume", "persistentvolumes", _MODULE, ("pv",),
        namespaced=False,
        subresources=("status",),
    ),
    Kind(
        "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", _MODULE, ("pvc",),
        subresources=("status",),
    ),
    Kind("", "v1", "PodTemplate", "podtemplates", _MODULE),
    Kind(
        "", "v1", "ReplicationController", "replicationcontrollers", _MODULE, ("rc",),
        categories=("all",),
        subresources=("scale", "status"),
        selectable={"status.replicas": lambda controller: str(controller.status.replicas)},
    ),
    Kind(
        "", "v1", "ResourceQuota", "resourcequotas", _MODULE, ("quota",),
        subresources=("status",),
    ),
    Kind("events.k8s.io", "v1", "Event", "events", "events.v1.events_pb2", ("ev",)),
)  # fmt: skip

KINDS = _BUILT + _KNOWN
