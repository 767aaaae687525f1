"""What the node agent asks of a container runtime: plain data in, plain data out.

The words are CRI's (sandbox, container, attempt), the shapes are ours, so that the agent and its
machine never see a protobuf message of a runtime. Times are Unix seconds as floats, 0.0 = never.
Implemented by `CriRuntime` and `HollowRuntime`; every failure is a RuntimeFault.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

LABEL_POD = "io.kubernetes.pod.name"
LABEL_NAMESPACE = "io.kubernetes.pod.namespace"
LABEL_UID = "io.kubernetes.pod.uid"
LABEL_CONTAINER = "io.kubernetes.container.name"
ANNOTATION_HASH = "holdfast.dev/container-hash"
ANNOTATION_INIT = "holdfast.dev/init-container"


class Fault(StrEnum):
    """Why a runtime call failed, as far as the agent acts on it."""

    NOT_FOUND = "not found"  # no such sandbox, container or image
    UNAVAILABLE = "unavailable"  # the runtime does not answer: it is down or starting
    TIMEOUT = "timeout"  # the call took longer than it may
    NOT_SUPPORTED = "not supported"  # this runtime has no such call
    FAILED = "failed"  # everything else; the message says what


class RuntimeFault(Exception):  # noqa: N818 - a fault of the runtime, not of the caller
    """A call to the runtime failed. `message` is one sentence in the runtime's words."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message


class ContainerState(StrEnum):
    """Where a container is in its life."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


class Version(NamedTuple):
    """Name and version of the runtime: ("containerd", "1.6.20")."""

    name: str
    version: str


class RuntimeCondition(NamedTuple):
    """A condition the runtime reports about itself: type RuntimeReady or NetworkReady."""

    type: str
    ok: bool
    reason: str
    message: str


class PortMapping(NamedTuple):
    """A port of the host that leads into a sandbox. protocol: TCP, UDP or SCTP."""

    protocol: str
    container_port: int
    host_port: int
    host_ip: str = ""


class Dns(NamedTuple):
    """What goes into resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class SandboxSpec(NamedTuple):
    """One pod's shell: its namespaces and address. attempt counts its incarnations from 0."""

    name: str
    namespace: str
    uid: str
    attempt: int
    hostname: str = ""
    log_directory: str = ""
    dns: Dns | None = None
    port_mappings: tuple[PortMapping, ...] = ()
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    cgroup_parent: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    privileged: bool = False


class Sandbox(NamedTuple):
    """A sandbox as the runtime knows it. ip is "" in listings and on the host's network."""

    id: str
    uid: str
    name: str
    namespace: str
    attempt: int
    ready: bool
    created_at: float
    labels: Mapping[str, str]
    ip: str = ""


class Mount(NamedTuple):
    """A path of the host inside the container."""

    container_path: str
    host_path: str
    readonly: bool = False


class Resources(NamedTuple):
    """Limits as the kernel takes them. 0 = unset. cpu in shares and microseconds."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 0
    memory_limit_bytes: int = 0
    oom_score_adj: int = 0


class Security(NamedTuple):
    """Who the container's process is and what it may. None = what the image says."""

    user: int | None = None
    group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    privileged: bool = False
    readonly_rootfs: bool = False
    no_new_privileges: bool = False
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()


class ContainerSpec(NamedTuple):
    """One container to create. attempt counts its restarts from 0."""

    name: str
    attempt: int
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    envs: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    log_path: str = ""  # below the sandbox's log directory
    stdin: bool = False
    tty: bool = False
    resources: Resources = Resources()
    security: Security = Security()


class Container(NamedTuple):
    """A container as the runtime knows it. Listings leave the times, exit code and reason out."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    state: ContainerState
    image: str
    image_ref: str
    created_at: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class Image(NamedTuple):
    """An image on this machine. id: its content's digest, as `imageID` of a status shows it."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size_bytes: int
    user: int | None = None  # the numeric user the image runs as; None: a name, or root
    username: str = ""


class ExecResult(NamedTuple):
    """What a command run in a container left behind."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class EventKind(StrEnum):
    """What can happen to a running container without being asked for."""

    STARTED = "started"
    EXITED = "exited"
    OOM = "oom"


class RuntimeEvent(NamedTuple):
    """Something happened to a container or a sandbox (id tells which) at a time."""

    kind: EventKind
    id: str
    at: float
    exit_code: int = 0


class Runtime(Protocol):
    """A container runtime. All calls may be made concurrently; all raise RuntimeFault."""

    async def version(self) -> Version:
        """Who answers."""

    async def conditions(self) -> list[RuntimeCondition]:
        """What the runtime says about its own health."""

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Make and start a sandbox with its network; returns its id."""

    async def sandbox_status(self, sandbox_id: str) -> Sandbox:
        """One sandbox with its address."""

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in it and release its address. Done already is fine."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it with its containers. Absent already is fine."""

    async def list_sandboxes(self) -> list[Sandbox]:
        """Every sandbox, running or not, without addresses."""

    async def create_container(
        self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec
    ) -> str:
        """Make a container; returns its id. Its image must be on the machine."""

    async def start_container(self, container_id: str) -> None:
        """Start what was created."""

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """SIGTERM (or the image's stop signal), after grace_s SIGKILL; returns when it ended."""

    async def remove_container(self, container_id: str) -> None:
        """Remove it, running or not. Absent already is fine."""

    async def container_status(self, container_id: str) -> Container:
        """One container with everything known about it."""

    async def list_containers(self) -> list[Container]:
        """Every container, without times, exit codes and reasons."""

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Change a running container's limits in place."""

    async def exec_sync(
        self, container_id: str, command: tuple[str, ...], timeout_s: float
    ) -> ExecResult:
        """Run a command in a container and wait for it (Fault.TIMEOUT after timeout_s)."""

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> str:
        """An address on loopback where one exec can be joined over WebSocket."""

    async def reopen_log(self, container_id: str) -> None:
        """Make the runtime open the container's log file anew, after it was renamed."""

    async def image_status(self, image: str) -> Image | None:
        """The image if it is on the machine."""

    async def pull_image(self, image: str) -> str:
        """Fetch an image from its registry; returns its reference."""

    async def list_images(self) -> list[Image]:
        """Every image on the machine."""

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens from now on. Ends with a RuntimeFault when the runtime goes away."""

    async def close(self) -> None:
        """Let go of the connection; containers go on running."""
