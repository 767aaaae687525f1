"""What can happen to a pod, as its machine hears it. Pure module.

Every event that answers an instruction names what it was about (attempt, id), so that an answer
that comes late, after the machine has moved on, is recognised and ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from holdfast.api.core.v1 import core_pb2 as core


class ProbeKind(StrEnum):
    """What a probe decides."""

    READINESS = "Readiness"
    LIVENESS = "Liveness"


class PodChanged(NamedTuple):
    """The pod's object is this now. It may carry a deletionTimestamp."""

    pod: core.Pod


class PodRemoved(NamedTuple):
    """The pod's object is gone from the cluster."""


class VolumesReady(NamedTuple):
    """Ends MountVolumes: every volume is there."""


class VolumesFailed(NamedTuple):
    """Ends MountVolumes. message names the volume and what is missing."""

    message: str


class SandboxStarted(NamedTuple):
    """Ends RunSandbox. ip is the pod's address ("" on the host's network)."""

    attempt: int
    id: str
    ip: str


class SandboxFailed(NamedTuple):
    """Ends RunSandbox."""

    attempt: int
    message: str


class SandboxExited(NamedTuple):
    """The sandbox's own process ended, unasked for."""

    id: str


class ImageReady(NamedTuple):
    """Ends EnsureImage. message: how it came to be there, for the event."""

    container: str
    message: str
    pulled: bool


class ImageFailed(NamedTuple):
    """Ends EnsureImage. reason: ErrImagePull, ErrImageNeverPull, InvalidImageName…"""

    container: str
    reason: str
    message: str


class ContainerStarted(NamedTuple):
    """Ends StartContainer."""

    container: str
    attempt: int
    id: str
    image_ref: str
    started_at: float


class ContainerFailed(NamedTuple):
    """Ends StartContainer. reason: CreateContainerConfigError, CreateContainerError,
    RunContainerError. id: what was created before it failed, "" if nothing."""

    container: str
    attempt: int
    reason: str
    message: str
    id: str = ""


class ContainerExited(NamedTuple):
    """The container ended, asked for or not. It also ends StopContainer."""

    container: str
    id: str
    exit_code: int
    reason: str
    message: str
    started_at: float  # 0.0 = not known
    finished_at: float


class StopFailed(NamedTuple):
    """Ends StopContainer when the runtime could not do it."""

    container: str
    id: str
    message: str


class ProbeFinished(NamedTuple):
    """Ends RunProbe."""

    container: str
    id: str
    kind: ProbeKind
    ok: bool
    message: str


class PodCleaned(NamedTuple):
    """Ends CleanPod: nothing of the pod is left on the machine."""


class CleanFailed(NamedTuple):
    """Ends CleanPod: something is left; it is tried again."""

    message: str


class Ticked(NamedTuple):
    """The machine's deadline has come."""


Event: TypeAlias = (
    PodChanged
    | PodRemoved
    | VolumesReady
    | VolumesFailed
    | SandboxStarted
    | SandboxFailed
    | SandboxExited
    | ImageReady
    | ImageFailed
    | ContainerStarted
    | ContainerFailed
    | ContainerExited
    | StopFailed
    | ProbeFinished
    | PodCleaned
    | CleanFailed
    | Ticked
)
