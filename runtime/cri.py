"""The real runtime: CRI v1 and containerd's events on one socket.

Order that must hold: none between calls; the agent serialises what belongs to one container.
Every call has a deadline, so a hung runtime is a Fault.TIMEOUT and never a hung agent. Events
come from `containerd.services.events.v1.Events/Subscribe` (namespace k8s.io), because CRI's own
GetContainerEvents exists only from containerd 1.7 on and lacks out-of-memory kills.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio

from holdfast.api.containerd.v1 import events_pb2, events_pb2_grpc, tasks_pb2
from holdfast.api.cri.v1 import cri_pb2 as cri
from holdfast.api.cri.v1 import cri_pb2_grpc
from holdfast.runtime import translate
from holdfast.runtime.interface import (
    Container,
    ContainerSpec,
    EventKind,
    ExecResult,
    Fault,
    Image,
    Resources,
    RuntimeCondition,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
    Version,
)

_Reply = TypeVar("_Reply")

_TaskEvent = tasks_pb2.TaskStart | tasks_pb2.TaskExit | tasks_pb2.TaskOOM

CALL_TIMEOUT_S = 30.0
SANDBOX_TIMEOUT_S = 120.0  # it waits for the CNI plugins
PULL_TIMEOUT_S = 900.0
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
]
_FAULTS = {
    grpc.StatusCode.NOT_FOUND: Fault.NOT_FOUND,
    grpc.StatusCode.UNAVAILABLE: Fault.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: Fault.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Fault.TIMEOUT,
    grpc.StatusCode.UNIMPLEMENTED: Fault.NOT_SUPPORTED,
}
_TOPICS: dict[str, tuple[EventKind, type[_TaskEvent]]] = {
    "/tasks/start": (EventKind.STARTED, tasks_pb2.TaskStart),
    "/tasks/exit": (EventKind.EXITED, tasks_pb2.TaskExit),
    "/tasks/oom": (EventKind.OOM, tasks_pb2.TaskOOM),
}
_FILTERS = [f'namespace==k8s.io,topic=="{topic}"' for topic in _TOPICS]


class CriRuntime:
    """A Runtime (see `interface`) on a containerd socket."""

    def __init__(self, socket: Path) -> None:
        """socket: containerd's address, shorter than 108 bytes. Connects on first use."""
        self._socket = socket
        self._channel = grpc.aio.insecure_channel(f"unix:{socket.absolute()}", options=_OPTIONS)
        self._runtime = cri_pb2_grpc.RuntimeServiceStub(self._channel)
        self._images = cri_pb2_grpc.ImageServiceStub(self._channel)
        self._events = events_pb2_grpc.EventsStub(self._channel)

    async def _call(self, call: Awaitable[_Reply]) -> _Reply:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from None

    def _fault(self, error: grpc.aio.AioRpcError) -> RuntimeFault:
        fault = _FAULTS.get(error.code(), Fault.FAILED)
        message = error.details() or error.code().name
        if fault is Fault.UNAVAILABLE:
            message = f"containerd does not answer on {self._socket}: {message}"
        return RuntimeFault(fault, message)

    async def version(self) -> Version:
        """Who answers."""
        reply = await self._call(self._runtime.Version(cri.VersionRequest(), timeout=5))
        return Version(reply.runtime_name, reply.runtime_version)

    async def conditions(self) -> list[RuntimeCondition]:
        """What the runtime says about its own health."""
        reply = await self._call(self._runtime.Status(cri.StatusRequest(), timeout=5))
        return [
            RuntimeCondition(found.type, found.status, found.reason, found.message)
            for found in reply.status.conditions
        ]

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Make and start a sandbox with its network; returns its id."""
        request = cri.RunPodSandboxRequest(config=translate.sandbox_config(spec))
        call = self._runtime.RunPodSandbox(request, timeout=SANDBOX_TIMEOUT_S)
        return (await self._call(call)).pod_sandbox_id

    async def sandbox_status(self, sandbox_id: str) -> Sandbox:
        """One sandbox with its address."""
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        call = self._runtime.PodSandboxStatus(request, timeout=CALL_TIMEOUT_S)
        status = (await self._call(call)).status
        return translate.sandbox(status)._replace(ip=status.network.ip)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in it and release its address. Done already is fine."""
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        call = self._runtime.StopPodSandbox(request, timeout=SANDBOX_TIMEOUT_S)
        await self._call(_absent_is_fine(call))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it with its containers. Absent already is fine."""
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        call = self._runtime.RemovePodSandbox(request, timeout=SANDBOX_TIMEOUT_S)
        await self._call(_absent_is_fine(call))

    async def list_sandboxes(self) -> list[Sandbox]:
        """Every sandbox, running or not, without addresses."""
        call = self._runtime.ListPodSandbox(cri.ListPodSandboxRequest(), timeout=CALL_TIMEOUT_S)
        return [translate.sandbox(item) for item in (await self._call(call)).items]

    async def create_container(
        self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec
    ) -> str:
        """Make a container; returns its id. Its image must be on the machine."""
        request = cri.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=translate.container_config(spec),
            sandbox_config=translate.sandbox_config(sandbox),
        )
        call = self._runtime.CreateContainer(request, timeout=SANDBOX_TIMEOUT_S)
        return (await self._call(call)).container_id

    async def start_container(self, container_id: str) -> None:
        """Start what was created."""
        request = cri.StartContainerRequest(container_id=container_id)
        await self._call(self._runtime.StartContainer(request, timeout=SANDBOX_TIMEOUT_S))

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """SIGTERM, after grace_s SIGKILL; returns when it ended. Absent already is fine."""
        request = cri.StopContainerRequest(container_id=container_id, timeout=grace_s)
        call = self._runtime.StopContainer(request, timeout=grace_s + CALL_TIMEOUT_S)
        await self._call(_absent_is_fine(call))

    async def remove_container(self, container_id: str) -> None:
        """Remove it, running or not. Absent already is fine."""
        request = cri.RemoveContainerRequest(container_id=container_id)
        call = self._runtime.RemoveContainer(request, timeout=CALL_TIMEOUT_S)
        await self._call(_absent_is_fine(call))

    async def container_status(self, container_id: str) -> Container:
        """One container with everything known about it."""
        request = cri.ContainerStatusRequest(container_id=container_id)
        call = self._runtime.ContainerStatus(request, timeout=CALL_TIMEOUT_S)
        return translate.container_status((await self._call(call)).status)

    async def list_containers(self) -> list[Container]:
        """Every container, without times, exit codes and reasons."""
        call = self._runtime.ListContainers(cri.ListContainersRequest(), timeout=CALL_TIMEOUT_S)
        return [translate.container(item) for item in (await self._call(call)).containers]

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Change a running container's limits in place."""
        request = cri.UpdateContainerResourcesRequest(
            container_id=container_id, linux=translate.resources(resources)
        )
        call = self._runtime.UpdateContainerResources(request, timeout=CALL_TIMEOUT_S)
        await self._call(call)

    async def exec_sync(
        self, container_id: str, command: tuple[str, ...], timeout_s: float
    ) -> ExecResult:
        """Run a command in a container and wait for it (Fault.TIMEOUT after timeout_s)."""
        request = cri.ExecSyncRequest(
            container_id=container_id, cmd=command, timeout=max(1, round(timeout_s))
        )
        reply = await self._call(self._runtime.ExecSync(request, timeout=timeout_s + 2))
        return ExecResult(reply.exit_code, reply.stdout, reply.stderr)

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> str:
        """An address on loopback where one exec can be joined over WebSocket."""
        request = cri.ExecRequest(
            container_id=container_id,
            cmd=command,
            stdin=stdin,
            tty=tty,
            stdout=True,
            stderr=not tty,
        )
        return (await self._call(self._runtime.Exec(request, timeout=CALL_TIMEOUT_S))).url

    async def reopen_log(self, container_id: str) -> None:
        """Make the runtime open the container's log file anew, after it was renamed."""
        request = cri.ReopenContainerLogRequest(container_id=container_id)
        await self._call(self._runtime.ReopenContainerLog(request, timeout=CALL_TIMEOUT_S))

    async def image_status(self, image: str) -> Image | None:
        """The image if it is on the machine."""
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image))
        reply = await self._call(self._images.ImageStatus(request, timeout=CALL_TIMEOUT_S))
        return translate.image(reply.image) if reply.HasField("image") else None

    async def pull_image(self, image: str) -> str:
        """Fetch an image from its registry; returns its reference."""
        request = cri.PullImageRequest(image=cri.ImageSpec(image=image))
        reply = await self._call(self._images.PullImage(request, timeout=PULL_TIMEOUT_S))
        return reply.image_ref

    async def list_images(self) -> list[Image]:
        """Every image on the machine."""
        call = self._images.ListImages(cri.ListImagesRequest(), timeout=CALL_TIMEOUT_S)
        return [translate.image(item) for item in (await self._call(call)).images]

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens from now on. Ends with a RuntimeFault when containerd goes away."""
        stream = self._events.Subscribe(events_pb2.SubscribeRequest(filters=_FILTERS))
        try:
            async for envelope in stream:
                event = _event(envelope)
                if event is not None:
                    yield event
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from None
        finally:
            stream.cancel()
        raise RuntimeFault(Fault.UNAVAILABLE, "containerd ended its stream of events")

    async def close(self) -> None:
        """Let go of the connection; containers go on running."""
        await self._channel.close()


async def _absent_is_fine(call: Awaitable[object]) -> None:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise


def _event(envelope: events_pb2.Envelope) -> RuntimeEvent | None:
    """The event in containerd's envelope; None for the exit of an exec'd process."""
    kind, message_type = _TOPICS[envelope.topic]
    # The Any's type_url is containerd's short name, so it is parsed by topic, not unpacked.
    body = message_type()
    body.ParseFromString(envelope.event.value)
    at = envelope.timestamp.seconds + envelope.timestamp.nanos / 1e9
    if isinstance(body, tasks_pb2.TaskExit):
        if body.id != body.container_id:
            return None
        at = body.exited_at.seconds + body.exited_at.nanos / 1e9
        return RuntimeEvent(kind, body.container_id, at, body.exit_status)
    return RuntimeEvent(kind, body.container_id, at)
