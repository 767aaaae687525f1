"""What a pod machine remembers. Pure module.

The state is plain: `noting` writes what events say into it, `advancing` looks at it for what must
happen next, `status` shows it, `adoption` rebuilds it from what a runtime lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine.backoff import Retry
from holdfast.node.machine.containers import ContainerRecord, Stage

DEFAULT_GRACE_S = 30


class Shell(StrEnum):
    """The pod's sandbox."""

    NONE = "none"
    STARTING = "starting"
    READY = "ready"
    DEAD = "dead"  # it ended; its containers must end before the next one


class Course(StrEnum):
    """Where the pod as a whole is."""

    LIVE = "live"
    OVER = "over"  # every container has ended for good; it waits to be deleted
    ENDING = "ending"  # deleted: containers are being stopped
    CLEANING = "cleaning"
    GONE = "gone"


class PodState:
    """One pod on this node.

    dirty: the status may have changed since whoever reads it cleared the flag.
    deleting: its object was ordered to be deleted; removed: the object is gone from the cluster.
    failure: reason and message of a pod that must fail; its containers are being stopped.
    grace_s: set once the pod is to end.
    """

    __slots__ = (
        "clean_retry",
        "conditions",
        "containers",
        "course",
        "deleting",
        "dirty",
        "failure",
        "grace_s",
        "inits",
        "ip",
        "mount_retry",
        "mounting",
        "pod",
        "removed",
        "sandbox_attempt",
        "sandbox_id",
        "sandbox_retry",
        "shell",
        "started_at",
        "uid",
        "volumes_ready",
    )

    def __init__(self, pod: core.Pod, now: float) -> None:
        self.pod = pod
        self.uid = pod.metadata.uid
        spec, status = pod.spec, pod.status
        self.inits = [ContainerRecord(item, init=True) for item in spec.initContainers]
        self.containers = [ContainerRecord(item, init=False) for item in spec.containers]
        over = status.phase in ("Succeeded", "Failed")
        self.course = Course.OVER if over else Course.LIVE
        self.dirty = not over
        self.shell = Shell.NONE
        self.sandbox_id = ""
        self.sandbox_attempt = 0
        self.ip = ""
        self.volumes_ready = not spec.volumes
        self.mounting = False
        self.deleting = False
        self.removed = False
        self.failure: tuple[str, str] | None = None
        self.started_at = float(status.startTime.seconds) or now
        self.conditions: dict[str, tuple[str, int]] = {}  # type → status, since (Unix seconds)
        self.grace_s: int | None = None
        self.mount_retry = Retry()
        self.sandbox_retry = Retry()
        self.clean_retry = Retry()

    def records(self) -> Iterator[ContainerRecord]:
        """Init containers, then containers."""
        yield from self.inits
        yield from self.containers

    def find(self, name: str) -> ContainerRecord | None:
        """A container by its name, which is unique over both kinds."""
        return next((record for record in self.records() if record.name == name), None)

    @property
    def initialized(self) -> bool:
        """Whether every init container has done its work."""
        for record in self.inits:  # noqa: SIM110 - a loop costs half of a generator here
            if not record.done:
                return False
        return True

    def turn(self) -> Sequence[ContainerRecord]:
        """The containers whose turn it is: the first unfinished init container, or all."""
        for record in self.inits:
            if not record.done:
                return (record,)
        return self.containers

    def busy(self) -> bool:
        """Whether a process of the pod runs, or may be about to."""
        for record in (*self.containers, *self.inits):
            if record.stage is Stage.RUNNING or record.stage is Stage.STARTING:
                return True
        return False

    def spec_grace_s(self) -> int:
        """The grace the pod's own definition gives its containers."""
        spec = self.pod.spec
        if spec.HasField("terminationGracePeriodSeconds"):
            return spec.terminationGracePeriodSeconds
        return DEFAULT_GRACE_S

    def expires_at(self) -> float:
        """When activeDeadlineSeconds runs out, Unix seconds; infinity when there is none."""
        seconds = self.pod.spec.activeDeadlineSeconds
        return self.started_at + seconds if seconds else float("inf")
