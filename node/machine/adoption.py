"""Rebuild a pod's machine from what a runtime lists, after the agent was restarted. Pure module.

The runtime is the truth about what runs (attempt numbers are restart counts); the pod's last
status, which the cluster kept, fills in what no runtime knows: readiness, and since when each
condition is what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine import noting, restarts
from holdfast.node.machine.backoff import crash_delay_after
from holdfast.node.machine.containers import ContainerRecord, Ended, Stage, fingerprint
from holdfast.node.machine.pod import PodMachine
from holdfast.node.machine.state import Course, Shell
from holdfast.node.machine.status import OWN_CONDITIONS
from holdfast.runtime.interface import ANNOTATION_HASH, Container, ContainerState, Sandbox


def adopt(
    pod: core.Pod, sandboxes: Sequence[Sandbox], containers: Sequence[Container], now: float
) -> PodMachine:
    """The machine of a pod that may have left things on this node.

    sandboxes and containers: all with the pod's uid, with addresses, times and exit codes.
    Send the machine PodChanged next: what is missing follows from its state.
    """
    machine = PodMachine(pod, now)
    for condition in pod.status.conditions:
        if condition.type in OWN_CONDITIONS:
            since = condition.lastTransitionTime.seconds
            machine.conditions[condition.type] = (condition.status, since)
    statuses = {
        found.name: found
        for found in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    }
    _adopt_sandbox(machine, sandboxes)
    for record in machine.records():
        mine = sorted(
            (found for found in containers if found.name == record.name),
            key=lambda found: found.attempt,
        )
        _adopt_container(machine, record, mine, statuses.get(record.name), now)
    if machine.course is Course.LIVE and any(map(_has_run, machine.containers)):
        # Its init containers did their work once, though their remains may be gone.
        for record in machine.inits:
            if not record.done and machine.shell is Shell.READY:
                record.note_end(Ended("", 0, "Completed", "", 0.0, 0.0))
                record.stage = Stage.STOPPED
    return machine


def _has_run(record: ContainerRecord) -> bool:
    return record.stage is Stage.RUNNING or record.ended is not None


def _adopt_sandbox(machine: PodMachine, sandboxes: Sequence[Sandbox]) -> None:
    if not sandboxes:
        return
    newest = max(sandboxes, key=lambda found: found.attempt)
    machine.sandbox_attempt = newest.attempt
    machine.sandbox_id, machine.ip = newest.id, newest.ip
    if machine.course is Course.LIVE:
        machine.shell = Shell.READY if newest.ready else Shell.DEAD


def _adopt_container(
    machine: PodMachine,
    record: ContainerRecord,
    mine: Sequence[Container],
    status: core.ContainerStatus | None,
    now: float,
) -> None:
    if status is not None and status.containerID:
        record.restarts = status.restartCount
        record.attempt = status.restartCount + 1
    if not mine:
        return
    ended = [found for found in mine if found.state is ContainerState.EXITED]
    for found in ended[-2:]:
        record.note_end(_ended(found))
    newest = mine[-1]
    record.attempt = newest.attempt
    record.crash_delay_s = crash_delay_after(newest.attempt)
    if newest.state is ContainerState.RUNNING:
        _adopt_running(record, newest, status, now)
    elif newest.state is ContainerState.EXITED:
        record.id, record.image_ref = newest.id, newest.image_ref
        record.restarts = newest.attempt
        if machine.course is Course.LIVE and not machine.pod.metadata.HasField("deletionTimestamp"):
            restarts.after_end(record, machine.pod, now)
        else:
            record.stage = Stage.STOPPED
    else:
        # Created and never started: the agent ended in between. The next attempt replaces it.
        record.attempt = newest.attempt + 1


def _adopt_running(
    record: ContainerRecord, found: Container, status: core.ContainerStatus | None, now: float
) -> None:
    record.stage = Stage.RUNNING
    record.restarts = found.attempt
    record.id, record.image_ref, record.started_at = found.id, found.image_ref, found.started_at
    same = status is not None and status.containerID.endswith(found.id)
    if not record.init:
        ready = status.ready if same and status is not None else None
        record.probings = noting.probings(record.spec, now, ready)
    wanted = found.annotations.get(ANNOTATION_HASH)
    record.replace = wanted is not None and wanted != fingerprint(record.spec)


def _ended(found: Container) -> Ended:
    return Ended(
        found.id,
        found.exit_code,
        found.reason,
        found.message,
        found.started_at,
        found.finished_at,
    )
