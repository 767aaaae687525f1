"""The specifications of a pod's sandbox and containers for the runtime. Pure module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine.containers import fingerprint
from holdfast.node.specs import environment, limits, resolution
from holdfast.node.specs.environment import ConfigError, Surroundings
from holdfast.runtime.interface import (
    ANNOTATION_HASH,
    ANNOTATION_INIT,
    LABEL_CONTAINER,
    LABEL_NAMESPACE,
    LABEL_POD,
    LABEL_UID,
    ContainerSpec,
    Image,
    Mount,
    PortMapping,
    SandboxSpec,
    Security,
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a pod's specifications depend on beside its object.

    data: the agent's data directory; cgroup_root: the group all pods' groups are in.
    """

    node_name: str
    host_ip: str
    data: Path
    cgroup_root: str
    memory_bytes: int
    dns: resolution.ClusterDns

    def pod_directory(self, uid: str) -> Path:
        """Where the pod's volumes and files are."""
        return self.data / "pods" / uid

    def log_directory(self, pod: core.Pod) -> Path:
        """Where the pod's logs are, a folder a container."""
        meta = pod.metadata
        return self.data / "logs" / f"{meta.namespace}_{meta.name}_{meta.uid}"

    def cgroup(self, uid: str) -> str:
        """The pod's own group."""
        return f"{self.cgroup_root}/pod{uid}"


def log_name(container: str, attempt: int) -> str:
    """A container's log file below the pod's log directory."""
    return f"{container}/{attempt}.log"


def _labels(pod: core.Pod) -> dict[str, str]:
    meta = pod.metadata
    return {LABEL_POD: meta.name, LABEL_NAMESPACE: meta.namespace, LABEL_UID: meta.uid}


def sandbox(pod: core.Pod, attempt: int, place: Place) -> SandboxSpec:
    """The pod's sandbox."""
    spec, meta = pod.spec, pod.metadata
    ports = [port for item in spec.containers for port in item.ports if port.hostPort]
    mappings = tuple(
        PortMapping(port.protocol or "TCP", port.containerPort, port.hostPort, port.hostIP)
        for port in ports
    )
    every = (*spec.containers, *spec.initContainers)
    return SandboxSpec(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        attempt=attempt,
        hostname=resolution.hostname(pod, place.node_name),
        log_directory=str(place.log_directory(pod)),
        dns=resolution.of_pod(pod, place.dns),
        port_mappings=() if spec.hostNetwork else mappings,
        labels=_labels(pod),
        cgroup_parent=place.cgroup(meta.uid),
        host_network=spec.hostNetwork,
        host_pid=spec.hostPID,
        host_ipc=spec.hostIPC,
        privileged=any(item.securityContext.privileged for item in every),
    )


def container(
    pod: core.Pod,
    wanted: core.Container,
    attempt: int,
    around: Surroundings,
    place: Place,
    volumes: Mapping[str, Path],
    image: Image,
) -> ContainerSpec:
    """One container. volumes: volume name → path on the host. Raises ConfigError."""
    variables = environment.resolve(pod, wanted, around)
    init = any(item.name == wanted.name for item in pod.spec.initContainers)
    annotations = {ANNOTATION_HASH: fingerprint(wanted)}
    if init:
        annotations[ANNOTATION_INIT] = "true"
    return ContainerSpec(
        name=wanted.name,
        attempt=attempt,
        image=wanted.image,
        command=environment.expand_all(wanted.command, variables),
        args=environment.expand_all(wanted.args, variables),
        working_dir=wanted.workingDir,
        envs=tuple(variables.items()),
        mounts=_mounts(pod, wanted, place, volumes),
        labels={**_labels(pod), LABEL_CONTAINER: wanted.name},
        annotations=annotations,
        log_path=log_name(wanted.name, attempt),
        stdin=wanted.stdin,
        tty=wanted.tty,
        resources=limits.of_container(pod, wanted, place.memory_bytes),
        security=_security(pod, wanted, image),
    )


def _mounts(
    pod: core.Pod, wanted: core.Container, place: Place, volumes: Mapping[str, Path]
) -> tuple[Mount, ...]:
    found = []
    for mount in wanted.volumeMounts:
        path = volumes.get(mount.name)
        if path is None:
            raise ConfigError(f'volume "{mount.name}" of volumeMounts does not exist in the pod')
        found.append(Mount(mount.mountPath, str(path), mount.readOnly))
    taken = {mount.container_path.rstrip("/") for mount in found}
    if not pod.spec.hostNetwork and "/etc/hosts" not in taken:
        found.append(Mount("/etc/hosts", str(place.pod_directory(pod.metadata.uid) / "etc-hosts")))
    return tuple(found)


def _security(pod: core.Pod, wanted: core.Container, image: Image) -> Security:
    own, shared = wanted.securityContext, pod.spec.securityContext

    user = _of_either(pod, wanted, "runAsUser")
    if _of_either(pod, wanted, "runAsNonRoot"):
        _refuse_root(wanted, user, image)
    escalation = own.HasField("allowPrivilegeEscalation") and not own.allowPrivilegeEscalation
    return Security(
        user=user,
        group=_of_either(pod, wanted, "runAsGroup"),
        supplemental_groups=tuple(shared.supplementalGroups),
        privileged=own.privileged,
        readonly_rootfs=own.readOnlyRootFilesystem,
        no_new_privileges=escalation,
        capabilities_add=tuple(own.capabilities.add),
        capabilities_drop=tuple(own.capabilities.drop),
    )


def _of_either(
    pod: core.Pod,
    wanted: core.Container,
    name: Literal["runAsUser", "runAsGroup", "runAsNonRoot"],
) -> int | None:
    """A field of the container's security context, or else of the pod's; None = of neither."""
    if wanted.securityContext.HasField(name):
        return int(getattr(wanted.securityContext, name))
    if pod.spec.securityContext.HasField(name):
        return int(getattr(pod.spec.securityContext, name))
    return None


def _refuse_root(wanted: core.Container, user: int | None, image: Image) -> None:
    name = wanted.name
    if user is None and image.username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}),"
            f' cannot verify user is non-root (container "{name}")'
        )
    if (user if user is not None else image.user or 0) == 0:
        which = "container's runAsUser breaks non-root policy"
        if user is None:
            which = "container has runAsNonRoot and image will run as root"
        raise ConfigError(f'{which} (container "{name}")')
