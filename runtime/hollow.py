"""The hollow runtime: sandboxes, containers and images that exist only as data.

`HollowMachine` is the simulation, synchronous and pure: calls change it at once, `Timings` says
how long they would have taken. Hollow nodes use it bare, thousands in one process, with their own
heap of deadlines; `HollowRuntime` waits those times out and is the Runtime that tests use as the
fake. Randomness is an argument: one seed, one run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.runtime.interface import (
    Container,
    ContainerSpec,
    ContainerState,
    ExecResult,
    Fault,
    Image,
    Resources,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
)

SIGKILLED = 137
SIGTERMED = 143


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a hollow runtime takes, seconds; each is spread by ± spread (a fraction)."""

    sandbox_s: float = 0.2
    create_s: float = 0.02
    start_s: float = 0.11
    stop_s: float = 0.05
    pull_s: float = 0.5
    spread: float = 0.25

    def faster(self, times: float) -> Timings:
        """The same machine, so many times faster."""
        return Timings(
            self.sandbox_s / times,
            self.create_s / times,
            self.start_s / times,
            self.stop_s / times,
            self.pull_s / times,
            self.spread,
        )

    def draw(self, mean_s: float, rng: random.Random) -> float:
        """One duration around a mean."""
        return mean_s * (1.0 + self.spread * (2.0 * rng.random() - 1.0))


INSTANT = Timings(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def addresses(first: int) -> Iterator[str]:
    """Pod addresses from a number on, as dotted IPv4: 0x64400000 gives 100.64.0.0, …"""
    while True:
        yield ".".join(str(first >> shift & 255) for shift in (24, 16, 8, 0))
        first += 1


class HollowMachine:
    """What runs on one hollow machine.

    images: names that are on it from the start; None = every image is. unpullable: names whose
    pull fails. Containers run until they are stopped, or `exit` says they ended.
    """

    def __init__(
        self,
        rng: random.Random,
        pod_addresses: Iterator[str],
        images: frozenset[str] | None = None,
        unpullable: frozenset[str] = frozenset(),
    ) -> None:
        self.sandboxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}
        self.granted: dict[str, Resources] = {}
        self._rng = rng
        self._addresses = pod_addresses
        self._images = images
        self._pulled: set[str] = set()
        self._unpullable = unpullable

    def _id(self) -> str:
        return f"{self._rng.getrandbits(256):064x}"

    def run_sandbox(self, spec: SandboxSpec, now: float) -> Sandbox:
        """Make a sandbox with an address; Fault.FAILED when this attempt is there already."""
        for found in self.sandboxes.values():
            if found.uid == spec.uid and found.attempt == spec.attempt:
                raise RuntimeFault(Fault.FAILED, f'sandbox name "{spec.name}" is reserved')
        return self.add_sandbox(spec, now)

    def add_sandbox(self, spec: SandboxSpec, now: float) -> Sandbox:
        """`run_sandbox` for callers that know the attempt is new: its cost does not grow."""
        ip = "" if spec.host_network else next(self._addresses)
        sandbox = Sandbox(
            self._id(),
            spec.uid,
            spec.name,
            spec.namespace,
            spec.attempt,
            True,
            now,
            spec.labels,
            ip,
        )
        self.sandboxes[sandbox.id] = sandbox
        return sandbox

    def sandbox(self, sandbox_id: str) -> Sandbox:
        """One sandbox; Fault.NOT_FOUND."""
        found = self.sandboxes.get(sandbox_id)
        if found is None:
            raise RuntimeFault(Fault.NOT_FOUND, f"sandbox {sandbox_id[:12]} not found")
        return found

    def stop_sandbox(self, sandbox_id: str, now: float) -> list[str]:
        """Kill all in it; returns the ids of the containers that ended by it."""
        found = self.sandboxes.get(sandbox_id)
        if found is None or not found.ready:
            return []
        self.sandboxes[sandbox_id] = found._replace(ready=False)
        ended = [item.id for item in self._inside(sandbox_id) if _runs(item)]
        for container_id in ended:
            self.exit(container_id, SIGKILLED, now)
        return ended

    def remove_sandbox(self, sandbox_id: str, now: float) -> None:
        """Remove it with its containers."""
        self.stop_sandbox(sandbox_id, now)
        for item in self._inside(sandbox_id):
            self.remove(item.id)
        self.sandboxes.pop(sandbox_id, None)

    def _inside(self, sandbox_id: str) -> list[Container]:
        return [item for item in self.containers.values() if item.sandbox_id == sandbox_id]

    def create(self, sandbox_id: str, spec: ContainerSpec, now: float) -> str:
        """Make a container; returns its id. NOT_FOUND: no such sandbox or image."""
        if not self.sandbox(sandbox_id).ready:
            raise RuntimeFault(Fault.FAILED, f"sandbox {sandbox_id[:12]} is not ready")
        if not self.has_image(spec.image):
            raise RuntimeFault(Fault.NOT_FOUND, f'image "{spec.image}" not found')
        container = Container(
            self._id(),
            sandbox_id,
            spec.name,
            spec.attempt,
            ContainerState.CREATED,
            spec.image,
            image_id(spec.image),
            now,
            spec.labels,
            spec.annotations,
        )
        self.containers[container.id] = container
        self.granted[container.id] = spec.resources
        return container.id

    def container(self, container_id: str) -> Container:
        """One container; Fault.NOT_FOUND."""
        found = self.containers.get(container_id)
        if found is None:
            raise RuntimeFault(Fault.NOT_FOUND, f"container {container_id[:12]} not found")
        return found

    def start(self, container_id: str, now: float) -> None:
        """Start what was created."""
        found = self.container(container_id)
        if found.state is not ContainerState.CREATED:
            raise RuntimeFault(Fault.FAILED, f"container {container_id[:12]} is {found.state}")
        self.containers[container_id] = found._replace(state=ContainerState.RUNNING, started_at=now)

    def exit(self, container_id: str, exit_code: int, now: float, reason: str = "") -> bool:
        """A container's process ends; whether it was running."""
        found = self.containers.get(container_id)
        if found is None or not _runs(found):
            return False
        self.containers[container_id] = found._replace(
            state=ContainerState.EXITED,
            finished_at=now,
            exit_code=exit_code,
            reason=reason or ("Completed" if exit_code == 0 else "Error"),
        )
        return True

    def remove(self, container_id: str) -> None:
        """Forget a container."""
        self.containers.pop(container_id, None)
        self.granted.pop(container_id, None)

    def exec(self, container_id: str, command: tuple[str, ...]) -> ExecResult:
        """`true`, `false` and `echo` do what they do; any other command is not there (127)."""
        if not _runs(self.container(container_id)):
            raise RuntimeFault(Fault.FAILED, f"container {container_id[:12]} is not running")
        if command[0] == "echo":
            return ExecResult(0, " ".join(command[1:]).encode() + b"\n", b"")
        if command[0] in ("true", "false"):
            return ExecResult(int(command[0] == "false"), b"", b"")
        return ExecResult(127, b"", f"{command[0]}: not found\n".encode())

    def has_image(self, name: str) -> bool:
        """Whether an image is on the machine."""
        return self._images is None or name in self._images or name in self._pulled

    def pull(self, name: str) -> str:
        """Fetch an image; returns its reference."""
        if name in self._unpullable:
            message = f'failed to pull and unpack image "{name}": not found'
            raise RuntimeFault(Fault.NOT_FOUND, message)
        self._pulled.add(name)
        return image_id(name)

    def images(self) -> list[Image]:
        """Every image that is on the machine by name."""
        return [image(name) for name in sorted((self._images or frozenset()) | self._pulled)]

    def resize(self, container_id: str, wanted: Resources) -> None:
        """Change a container's limits; zeroes leave what is there."""
        self.container(container_id)
        before = self.granted[container_id]
        changes = {key: value for key, value in wanted._asdict().items() if value}
        self.granted[container_id] = before._replace(**changes)


def _runs(found: Container) -> bool:
    return found.state is ContainerState.RUNNING


def image_id(name: str) -> str:
    """The digest a hollow image has."""
    return "sha256:" + name.encode().hex()[:64].ljust(64, "0")


def image(name: str) -> Image:
    """A hollow image."""
    return Image(image_id(name), (name,), (), 1 << 20)
