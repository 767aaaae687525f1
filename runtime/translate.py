"""Between our runtime data and CRI's messages. Pure module; only `cri` uses it."""

from __future__ import annotations

from holdfast.api.cri.v1 import cri_pb2 as cri
from holdfast.runtime.interface import (
    LABEL_CONTAINER,
    Container,
    ContainerSpec,
    ContainerState,
    Image,
    Mount,
    Resources,
    Sandbox,
    SandboxSpec,
    Security,
)

_STATES = {
    cri.CONTAINER_CREATED: ContainerState.CREATED,
    cri.CONTAINER_RUNNING: ContainerState.RUNNING,
    cri.CONTAINER_EXITED: ContainerState.EXITED,
}
# What CRI leaves to its client: paths of /proc and /sys no ordinary container should see or set.
_MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
_READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def _namespaces(spec: SandboxSpec) -> cri.NamespaceOption:
    return cri.NamespaceOption(
        network=cri.NODE if spec.host_network else cri.POD,
        pid=cri.NODE if spec.host_pid else cri.CONTAINER,
        ipc=cri.NODE if spec.host_ipc else cri.POD,
    )


def sandbox_config(spec: SandboxSpec) -> cri.PodSandboxConfig:
    """The configuration CRI wants with a sandbox and again with each of its containers."""
    config = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=spec.name, uid=spec.uid, namespace=spec.namespace, attempt=spec.attempt
        ),
        hostname=spec.hostname,
        log_directory=spec.log_directory,
        labels=spec.labels,
        annotations=spec.annotations,
    )
    if spec.dns is not None:
        dns = spec.dns
        config.dns_config.servers.extend(dns.servers)
        config.dns_config.searches.extend(dns.searches)
        config.dns_config.options.extend(dns.options)
    for port in spec.port_mappings:
        config.port_mappings.add(
            protocol=cri.Protocol.Value(port.protocol),
            container_port=port.container_port,
            host_port=port.host_port,
            host_ip=port.host_ip,
        )
    config.linux.cgroup_parent = spec.cgroup_parent
    config.linux.security_context.namespace_options.CopyFrom(_namespaces(spec))
    config.linux.security_context.privileged = spec.privileged
    seccomp = config.linux.security_context.seccomp
    seccomp.profile_type = cri.SecurityProfile.RuntimeDefault
    return config


def resources(wanted: Resources) -> cri.LinuxContainerResources:
    """Limits of a container."""
    return cri.LinuxContainerResources(
        cpu_shares=wanted.cpu_shares,
        cpu_quota=wanted.cpu_quota_us,
        cpu_period=wanted.cpu_period_us,
        memory_limit_in_bytes=wanted.memory_limit_bytes,
        oom_score_adj=wanted.oom_score_adj,
    )


def _security(wanted: Security) -> cri.LinuxContainerSecurityContext:
    context = cri.LinuxContainerSecurityContext(
        privileged=wanted.privileged,
        readonly_rootfs=wanted.readonly_rootfs,
        no_new_privs=wanted.no_new_privileges,
        supplemental_groups=wanted.supplemental_groups,
        namespace_options=cri.NamespaceOption(pid=cri.CONTAINER),
    )
    context.capabilities.add_capabilities.extend(wanted.capabilities_add)
    context.capabilities.drop_capabilities.extend(wanted.capabilities_drop)
    if wanted.user is not None:
        context.run_as_user.value = wanted.user
    if wanted.group is not None:
        context.run_as_group.value = wanted.group
    if not wanted.privileged:
        context.masked_paths.extend(_MASKED_PATHS)
        context.readonly_paths.extend(_READONLY_PATHS)
        context.seccomp.profile_type = cri.SecurityProfile.RuntimeDefault
    else:
        context.seccomp.profile_type = cri.SecurityProfile.Unconfined
    return context


def _mount(wanted: Mount) -> cri.Mount:
    return cri.Mount(
        container_path=wanted.container_path,
        host_path=wanted.host_path,
        readonly=wanted.readonly,
    )


def container_config(spec: ContainerSpec) -> cri.ContainerConfig:
    """The configuration of one container."""
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=spec.name, attempt=spec.attempt),
        image=cri.ImageSpec(image=spec.image),
        command=spec.command,
        args=spec.args,
        working_dir=spec.working_dir,
        envs=[cri.KeyValue(key=key, value=value.encode()) for key, value in spec.envs],
        mounts=[_mount(mount) for mount in spec.mounts],
        labels=spec.labels,
        annotations=spec.annotations,
        log_path=spec.log_path,
        stdin=spec.stdin,
        tty=spec.tty,
        linux=cri.LinuxContainerConfig(
            resources=resources(spec.resources), security_context=_security(spec.security)
        ),
    )


def sandbox(found: cri.PodSandbox | cri.PodSandboxStatus) -> Sandbox:
    """A sandbox from a listing or a status."""
    return Sandbox(
        id=found.id,
        uid=found.metadata.uid,
        name=found.metadata.name,
        namespace=found.metadata.namespace,
        attempt=found.metadata.attempt,
        ready=found.state == cri.SANDBOX_READY,
        created_at=found.created_at / 1e9,
        labels=dict(found.labels),
    )


def container(found: cri.Container) -> Container:
    """A container from a listing."""
    return Container(
        id=found.id,
        sandbox_id=found.pod_sandbox_id,
        name=found.metadata.name or found.labels.get(LABEL_CONTAINER, ""),
        attempt=found.metadata.attempt,
        state=_STATES.get(found.state, ContainerState.UNKNOWN),
        image=found.image.image,
        image_ref=found.image_ref,
        created_at=found.created_at / 1e9,
        labels=dict(found.labels),
        annotations=dict(found.annotations),
    )


def container_status(found: cri.ContainerStatus) -> Container:
    """A container from its status; the sandbox's id is not in it."""
    return Container(
        id=found.id,
        sandbox_id="",
        name=found.metadata.name,
        attempt=found.metadata.attempt,
        state=_STATES.get(found.state, ContainerState.UNKNOWN),
        image=found.image.image,
        image_ref=found.image_ref,
        created_at=found.created_at / 1e9,
        labels=dict(found.labels),
        annotations=dict(found.annotations),
        started_at=found.started_at / 1e9,
        finished_at=found.finished_at / 1e9,
        exit_code=found.exit_code,
        reason=found.reason,
        message=found.message,
    )


def image(found: cri.Image) -> Image:
    """An image."""
    return Image(
        id=found.id,
        tags=tuple(found.repo_tags),
        digests=tuple(found.repo_digests),
        size_bytes=found.size,
        user=found.uid.value if found.HasField("uid") else None,
        username=found.username,
    )
