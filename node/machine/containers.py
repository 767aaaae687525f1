"""One container of a pod as its machine remembers it. Pure module.

The record is plain state; the rules that move it are in `pod`. What it shows the user is built
from it by `status`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import NamedTuple

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine.backoff import PULL_FIRST_S, PULL_MAX_S, Retry
from holdfast.node.machine.events import ProbeKind
from holdfast.node.machine.probing import Probing


class Stage(StrEnum):
    """Where a container is between two runs."""

    WAITING = "waiting"  # may begin at next_at
    PULLING = "pulling"  # EnsureImage is under way
    PULLED = "pulled"  # waits for sandbox and volumes
    STARTING = "starting"  # StartContainer is under way
    RUNNING = "running"
    STOPPED = "stopped"  # ended, and is not to run again


class Ended(NamedTuple):
    """How one run of a container ended. Times are Unix seconds."""

    id: str
    exit_code: int
    reason: str
    message: str
    started_at: float  # 0.0 = it never ran
    finished_at: float

    @property
    def ran_s(self) -> float:
        """How long it ran."""
        return self.finished_at - self.started_at if self.started_at else 0.0


class ContainerRecord:
    """What is known of one container.

    attempt: the number of the run that is under way or comes next; restarts: of the last run that
    began, which is what users see.
    """

    __slots__ = (
        "attempt",
        "crash_delay_s",
        "ended",
        "ended_before",
        "id",
        "image_ref",
        "init",
        "name",
        "next_at",
        "probings",
        "pull_retry",
        "replace",
        "restarts",
        "spec",
        "stage",
        "start_retry",
        "started_at",
        "stop_at",
        "stop_grace_s",
        "stop_why",
        "wait_message",
        "wait_reason",
    )

    def __init__(self, spec: core.Container, *, init: bool) -> None:
        self.spec = spec
        self.name = spec.name
        self.init = init
        self.stage = Stage.WAITING
        self.attempt = 0
        self.restarts = 0
        self.id = ""
        self.image_ref = ""
        self.started_at = 0.0
        self.next_at = 0.0
        self.crash_delay_s = -1.0
        self.pull_retry: Retry | None = None
        self.start_retry: Retry | None = None
        self.ended: Ended | None = None
        self.ended_before: Ended | None = None
        self.wait_reason = ""
        self.wait_message = ""
        self.probings: tuple[Probing, ...] = ()
        self.stop_why = ""  # set once this run must end
        self.stop_grace_s: int | None = None  # the grace it was last told to stop within
        self.stop_at = 0.0  # not to be told before, after a stop that failed
        self.replace = False  # its definition changed: starts again whatever the policy

    @property
    def ready(self) -> bool:
        """Whether it runs and no readiness probe says otherwise."""
        if self.stage is not Stage.RUNNING:
            return False
        for probing in self.probings:
            if not probing.ok and probing.kind is ProbeKind.READINESS:
                return False
        return True

    @property
    def done(self) -> bool:
        """An init container that has done its work."""
        ended = self.ended
        return self.stage is Stage.STOPPED and ended is not None and ended.exit_code == 0

    def wait(self, reason: str, message: str, until: float) -> None:
        """Show a reason for waiting and begin anew at `until`."""
        self.stage = Stage.WAITING
        self.wait_reason, self.wait_message, self.next_at = reason, message, until

    def pull_failed(self, reason: str, message: str, now: float) -> bool:
        """Note a failed pull; returns whether it is the first in a row."""
        first = self.pull_retry is None
        if self.pull_retry is None:
            self.pull_retry = Retry(PULL_FIRST_S, PULL_MAX_S)
        self.pull_retry.fail(now)
        if reason == "ErrImagePull" and not first:
            message = f'Back-off pulling image "{self.spec.image}": {reason}: {message}'
            reason = "ImagePullBackOff"
        self.wait(reason, message, self.pull_retry.at)
        return first

    def note_end(self, ended: Ended) -> None:
        """Remember how this run ended, and the one before it."""
        self.ended_before, self.ended = self.ended, ended
        self.probings = ()
        self.stop_why, self.stop_grace_s, self.stop_at = "", None, 0.0


def fingerprint(spec: core.Container) -> str:
    """Sixteen hex digits that change when a running container must be replaced.

    Of what a running pod's container may change, only its image asks for that; hashing more
    would restart everything when a new version of Holdfast adds a default.
    """
    return hashlib.sha256(f"{spec.name}\0{spec.image}".encode()).hexdigest()[:16]
