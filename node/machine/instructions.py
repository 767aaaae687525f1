"""What a pod machine orders. Pure module.

The order of a list is the order of carrying out only for instructions about one container.
Each of the first eight ends as an event (named in `events`); the others are fire and forget.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine.events import ProbeKind


class MountVolumes(NamedTuple):
    """Make the pod's directories and fill its volumes."""


class RunSandbox(NamedTuple):
    """Make the pod's sandbox. attempt: which incarnation, from 0."""

    attempt: int


class EnsureImage(NamedTuple):
    """Have the container's image on the machine, as its pull policy says."""

    container: core.Container


class StartContainer(NamedTuple):
    """Create and start a container in the sandbox. attempt: its restarts so far."""

    container: core.Container
    attempt: int
    sandbox_id: str
    sandbox_attempt: int
    init: bool


class StopContainer(NamedTuple):
    """SIGTERM, after grace_s SIGKILL."""

    container: str
    id: str
    grace_s: int


class RunProbe(NamedTuple):
    """Ask once whether the container is well."""

    container: str
    id: str
    kind: ProbeKind
    probe: core.Probe


class CleanPod(NamedTuple):
    """Remove every container, sandbox, volume and directory of the pod."""


class StopSandbox(NamedTuple):
    """The pod is over: release its address. Its containers stay, for their logs."""

    id: str


class RemoveSandbox(NamedTuple):
    """Remove a sandbox that died, before the next one."""

    id: str


class RemoveContainer(NamedTuple):
    """Remove a dead container nobody needs any more."""

    id: str


class DeletePod(NamedTuple):
    """Nothing of the pod is left here: delete its object (grace 0, its uid as precondition)."""


class Record(NamedTuple):
    """Tell the user. type: Normal or Warning; container "" = about the pod as a whole."""

    type: str
    reason: str
    message: str
    container: str = ""


Instruction: TypeAlias = (
    MountVolumes
    | RunSandbox
    | EnsureImage
    | StartContainer
    | StopContainer
    | RunProbe
    | CleanPod
    | StopSandbox
    | RemoveSandbox
    | RemoveContainer
    | DeletePod
    | Record
)
