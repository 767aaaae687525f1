"""What a pod gets when its author says nothing (Kubernetes' pkg/apis/core/v1/defaults.go).

Pure module. In place, before validation; running it twice changes nothing more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from holdfast.api.objects import requests

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

SCHEDULER = "default-scheduler"
SERVICE_ACCOUNT = "default"
GRACE_PERIOD_S = 30
TERMINATION_LOG = "/dev/termination-log"
FILE_MODE = 0o644


@lru_cache(maxsize=1024)
def pull_policy(image: str) -> str:
    """Always for the tag latest (also when no tag and no digest is given), else IfNotPresent."""
    name, digest, _ = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].rpartition(":")
    latest = tag == "latest" if colon else not digest
    return "Always" if latest else "IfNotPresent"


def default_pod(pod: core.Pod) -> None:
    """A whole pod: its spec, the account it runs as, and the state it begins in."""
    spec = pod.spec
    default_spec(spec)
    if not spec.serviceAccountName:
        spec.serviceAccountName = spec.serviceAccount = SERVICE_ACCOUNT
    if not spec.HasField("enableServiceLinks"):
        spec.enableServiceLinks = True
    status = pod.status
    if not status.phase:
        status.phase = "Pending"
    if not status.qosClass:
        try:
            status.qosClass = requests.qos_class(pod)
        except ValueError:
            status.ClearField("qosClass")  # a bad quantity: validation names it


def default_spec(spec: core.PodSpec) -> None:
    """The part a template shares with a pod."""
    if not spec.restartPolicy:
        spec.restartPolicy = "Always"
    if not spec.dnsPolicy:
        spec.dnsPolicy = "ClusterFirst"
    if not spec.HasField("terminationGracePeriodSeconds"):
        spec.terminationGracePeriodSeconds = GRACE_PERIOD_S
    if not spec.schedulerName:
        spec.schedulerName = SCHEDULER
    if not spec.HasField("securityContext"):
        spec.securityContext.SetInParent()
    _default_account(spec)
    host_network = spec.hostNetwork
    for container in spec.containers:
        _default_container(container, host_network)
    for container in spec.initContainers:
        _default_container(container, host_network)
    for volume in spec.volumes:
        _default_volume(volume)


def _default_account(spec: core.PodSpec) -> None:
    """serviceAccount is the old name of serviceAccountName; both always say the same."""
    account = spec.serviceAccountName or spec.serviceAccount
    if account and not (spec.serviceAccountName and spec.serviceAccount == account):
        spec.serviceAccountName = spec.serviceAccount = account


def _default_container(container: core.Container, host_network: bool) -> None:
    if not container.terminationMessagePath:
        container.terminationMessagePath = TERMINATION_LOG
    if not container.terminationMessagePolicy:
        container.terminationMessagePolicy = "File"
    if not container.imagePullPolicy:
        container.imagePullPolicy = pull_policy(container.image)
    for port in container.ports:
        _default_port(port, host_network)
    for variable in container.env:
        source = variable.valueFrom
        if source.HasField("fieldRef") and not source.fieldRef.apiVersion:
            source.fieldRef.apiVersion = "v1"
    if container.HasField("resources"):
        _default_requests(container.resources)
    if container.HasField("livenessProbe"):
        _default_probe(container.livenessProbe)
    if container.HasField("readinessProbe"):
        _default_probe(container.readinessProbe)
    if container.HasField("startupProbe"):
        _default_probe(container.startupProbe)


def _default_port(port: core.ContainerPort, host_network: bool) -> None:
    if not port.protocol:
        port.protocol = "TCP"
    if host_network and not port.hostPort:
        port.hostPort = port.containerPort


def _default_requests(resources: core.ResourceRequirements) -> None:
    """What is limited but not requested is requested in full."""
    wanted = resources.requests
    for name, limit in resources.limits.items():
        if name not in wanted:
            wanted.get_or_create(name).CopyFrom(limit)


def _default_probe(probe: core.Probe) -> None:
    if probe.handler.HasField("httpGet"):
        get = probe.handler.httpGet
        if not get.path:
            get.path = "/"
        if not get.scheme:
            get.scheme = "HTTP"
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not getattr(probe, field):
            setattr(probe, field, value)


def _default_volume(volume: core.Volume) -> None:
    source = volume.volumeSource
    kinds = [field.name for field, _ in source.ListFields()]
    if not kinds:
        source.emptyDir.SetInParent()
    for name in kinds:
        if name in ("configMap", "secret", "projected", "downwardAPI"):
            projected = getattr(source, name)
            if not projected.HasField("defaultMode"):
                projected.defaultMode = FILE_MODE
        elif name == "hostPath" and not source.hostPath.HasField("type"):
            source.hostPath.type = ""
