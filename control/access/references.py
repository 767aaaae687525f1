"""What a pod's containers need to be started: the ConfigMaps, Secrets and the ServiceAccount.

A node may read these and no others, as long as the pod is bound to it. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from holdfast.api.core.v1 import core_pb2 as core


def needs(pod: core.Pod, resource: str, name: str) -> bool:
    """Whether this pod refers to an object of its own namespace.

    resource: "configmaps", "secrets" or "serviceaccounts".
    """
    if resource == "serviceaccounts":
        return name == (pod.spec.serviceAccountName or "default")
    find = _configmaps if resource == "configmaps" else _secrets
    return any(name == found for found in find(pod.spec))


def _configmaps(spec: core.PodSpec) -> Iterator[str]:
    for container in _containers(spec):
        for source in container.envFrom:
            yield source.configMapRef.localObjectReference.name
        for variable in container.env:
            yield variable.valueFrom.configMapKeyRef.localObjectReference.name
    for volume in spec.volumes:
        yield volume.volumeSource.configMap.localObjectReference.name
        for projection in volume.volumeSource.projected.sources:
            yield projection.configMap.localObjectReference.name


def _secrets(spec: core.PodSpec) -> Iterator[str]:
    for container in _containers(spec):
        for source in container.envFrom:
            yield source.secretRef.localObjectReference.name
        for variable in container.env:
            yield variable.valueFrom.secretKeyRef.localObjectReference.name
    for volume in spec.volumes:
        yield volume.volumeSource.secret.secretName
        for projection in volume.volumeSource.projected.sources:
            yield projection.secret.localObjectReference.name
    for reference in spec.imagePullSecrets:
        yield reference.name


def _containers(spec: core.PodSpec) -> Iterator[Any]:
    yield from spec.initContainers
    yield from spec.containers
    for container in spec.ephemeralContainers:
        yield container.ephemeralContainerCommon
