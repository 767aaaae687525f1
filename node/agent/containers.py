"""Start one container, and find out how one ended."""

from __future__ import annotations

import asyncio
import time

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.node.agent.tools import Owner, Tools
from holdfast.node.machine import events
from holdfast.node.machine.events import Event
from holdfast.node.machine.instructions import StartContainer
from holdfast.node.specs import building, environment, resolution
from holdfast.node.specs.environment import ConfigError, Surroundings
from holdfast.node.volumes import mounting
from holdfast.runtime.interface import (
    LABEL_UID,
    ContainerSpec,
    ContainerState,
    Fault,
    Image,
    Runtime,
    RuntimeFault,
    SandboxSpec,
)

UNKNOWN_CODE = 137
SETTLE_TRIES = 20
SETTLE_S = 0.02


async def start(tools: Tools, pod: core.Pod, ip: str, order: StartContainer) -> Event:
    """ContainerStarted or ContainerFailed. ip: the pod's, "" on the host's network."""
    name, attempt = order.container.name, order.attempt

    def failed(reason: str, message: str, container_id: str = "") -> Event:
        return events.ContainerFailed(name, attempt, reason, message, container_id)

    try:
        image = await tools.runtime.image_status(order.container.image)
        if image is None:
            return failed("CreateContainerError", f'image "{order.container.image}" is gone')
        spec = await _spec(tools, pod, ip, order, image)
    except (ConfigError, ApiError) as error:
        return failed("CreateContainerConfigError", str(error))
    except RuntimeFault as fault:
        return failed("CreateContainerError", fault.message)
    sandbox = building.sandbox(pod, order.sandbox_attempt, tools.place)
    try:
        await asyncio.to_thread(_prepare, tools, pod, ip, name)
        container_id = await _create(tools.runtime, order.sandbox_id, spec, sandbox)
    except (RuntimeFault, OSError) as error:
        return failed("CreateContainerError", str(error))
    tools.owners.add(container_id, Owner(pod.metadata.uid, name), starting=True)
    try:
        await tools.runtime.start_container(container_id)
    except RuntimeFault as fault:
        tools.owners.forget(container_id)
        return failed("RunContainerError", fault.message, container_id)
    return events.ContainerStarted(name, attempt, container_id, image.id, time.time())


async def _spec(
    tools: Tools, pod: core.Pod, ip: str, order: StartContainer, image: Image
) -> ContainerSpec:
    """The container's specification, with what it refers to fetched."""
    namespace = pod.metadata.namespace
    config_maps, secrets = environment.needs(pod, order.container)
    around = Surroundings(
        pod_ip=ip or tools.place.host_ip,
        host_ip=tools.place.host_ip,
        config_maps=await tools.objects.config_maps(namespace, config_maps),
        secrets=await tools.objects.secrets(namespace, secrets),
        services=await tools.objects.services(namespace),
        allocatable=tools.allocatable,
    )
    volumes = mounting.paths(pod, tools.place.pod_directory(pod.metadata.uid))
    return building.container(
        pod, order.container, order.attempt, around, tools.place, volumes, image
    )


def _prepare(tools: Tools, pod: core.Pod, ip: str, name: str) -> None:
    (tools.place.log_directory(pod) / name).mkdir(parents=True, exist_ok=True)
    directory = tools.place.pod_directory(pod.metadata.uid)
    directory.mkdir(parents=True, exist_ok=True)
    hosts = directory / "etc-hosts"
    if not hosts.exists():
        hosts.write_text(resolution.hosts_file(pod, ip, tools.place.dns.domain))


async def _create(
    runtime: Runtime, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec
) -> str:
    """Create, once more when an earlier try of the same attempt left its container behind."""
    try:
        return await runtime.create_container(sandbox_id, spec, sandbox)
    except RuntimeFault as fault:
        if "reserved" not in fault.message:
            raise
    for found in await runtime.list_containers():
        same = found.labels.get(LABEL_UID) == sandbox.uid and found.name == spec.name
        if same and found.attempt == spec.attempt:
            await runtime.remove_container(found.id)
    return await runtime.create_container(sandbox_id, spec, sandbox)


async def how_it_ended(runtime: Runtime, name: str, container_id: str) -> Event:
    """ContainerExited from the runtime's own record, which may lag the event by a moment."""
    try:
        for _ in range(SETTLE_TRIES):
            found = await runtime.container_status(container_id)
            if found.state is ContainerState.EXITED:
                return events.ContainerExited(
                    name,
                    container_id,
                    found.exit_code,
                    found.reason,
                    found.message,
                    found.started_at,
                    found.finished_at,
                )
            await asyncio.sleep(SETTLE_S)
    except RuntimeFault as fault:
        if fault.fault is not Fault.NOT_FOUND:
            return events.StopFailed(name, container_id, fault.message)
    else:
        return events.StopFailed(name, container_id, "the runtime says it still runs")
    message = "The container could not be located when the pod was looked at"
    return events.ContainerExited(
        name, container_id, UNKNOWN_CODE, "ContainerStatusUnknown", message, 0.0, time.time()
    )
