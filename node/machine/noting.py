"""What each event says, written into a pod's state. Pure module.

Nothing here decides what happens next (that is `advancing`); an answer that no longer fits the
state came late and is ignored. `NOTE` is the table of all events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine import events, restarts
from holdfast.node.machine.containers import Ended, Stage
from holdfast.node.machine.events import ProbeKind
from holdfast.node.machine.instructions import Instruction, Record, RemoveContainer
from holdfast.node.machine.probing import Probing
from holdfast.node.machine.state import Course, PodState, Shell

FORCED_GRACE_S = 2
"""Grace of a pod whose object is gone already: its processes still get a SIGTERM."""

STOP_AGAIN_S = 2.0

Out = list[Instruction]


def probings(spec: core.Container, now: float, ready: bool | None = None) -> tuple[Probing, ...]:
    """The probes of a container that started now; ready: its verdict before an agent restart."""
    found = []
    if spec.HasField("readinessProbe"):
        found.append(Probing(ProbeKind.READINESS, spec.readinessProbe, now, ok=ready))
    if spec.HasField("livenessProbe"):
        found.append(Probing(ProbeKind.LIVENESS, spec.livenessProbe, now))
    return tuple(found)


def _end(state: PodState, grace_s: int) -> None:
    state.grace_s = grace_s if state.grace_s is None else min(state.grace_s, grace_s)
    if state.course in (Course.LIVE, Course.OVER):
        state.course = Course.ENDING
        state.dirty = True


def _changed(state: PodState, event: events.PodChanged, _now: float, _out: Out) -> None:
    pod = event.pod
    state.pod = pod
    specs = {item.name: item for item in (*pod.spec.initContainers, *pod.spec.containers)}
    for record in state.records():
        spec = specs.get(record.name)
        if spec is not None:
            if spec.image != record.spec.image and record.stage is Stage.RUNNING:
                record.replace = True
            record.spec = spec
    if pod.metadata.HasField("deletionTimestamp"):
        _end(state, pod.metadata.deletionGracePeriodSeconds)


def _removed(state: PodState, _event: events.PodRemoved, _now: float, _out: Out) -> None:
    state.removed = True
    _end(state, FORCED_GRACE_S)


def _ticked(state: PodState, _event: events.Ticked, now: float, _out: Out) -> None:
    if state.course is Course.LIVE and now >= state.expires_at():
        state.failure = (
            "DeadlineExceeded",
            "Pod was active on the node longer than the specified deadline",
        )


def _volumes_ready(state: PodState, _event: events.VolumesReady, _now: float, _out: Out) -> None:
    state.mounting = False
    state.volumes_ready = True


def _volumes_failed(state: PodState, event: events.VolumesFailed, now: float, out: Out) -> None:
    state.mounting = False
    state.mount_retry.fail(now)
    out.append(Record("Warning", "FailedMount", event.message))


def _sandbox_started(state: PodState, event: events.SandboxStarted, _now: float, _out: Out) -> None:
    if state.shell is not Shell.STARTING or event.attempt != state.sandbox_attempt:
        return
    state.shell, state.sandbox_id, state.ip = Shell.READY, event.id, event.ip
    state.sandbox_retry.clear()
    state.dirty = True


def _sandbox_failed(state: PodState, event: events.SandboxFailed, now: float, out: Out) -> None:
    if state.shell is not Shell.STARTING or event.attempt != state.sandbox_attempt:
        return
    state.shell = Shell.NONE
    state.sandbox_attempt += 1
    state.sandbox_retry.fail(now)
    message = f"Failed to create pod sandbox: {event.message}"
    out.append(Record("Warning", "FailedCreatePodSandBox", message))


def _sandbox_exited(state: PodState, event: events.SandboxExited, _now: float, out: Out) -> None:
    if state.shell is not Shell.READY or event.id != state.sandbox_id:
        return
    state.shell = Shell.DEAD
    state.dirty = True
    if state.course is Course.LIVE:
        message = "Pod sandbox changed, it will be killed and re-created."
        out.append(Record("Normal", "SandboxChanged", message))


def _image_ready(state: PodState, event: events.ImageReady, _now: float, out: Out) -> None:
    record = state.find(event.container)
    if record is None or record.stage is not Stage.PULLING:
        return
    record.stage = Stage.PULLED
    record.pull_retry = None
    if record.start_retry is None:
        record.wait_reason = record.wait_message = ""
    out.append(Record("Normal", "Pulled", event.message, record.name))


def _image_failed(state: PodState, event: events.ImageFailed, now: float, out: Out) -> None:
    record = state.find(event.container)
    if record is None or record.stage is not Stage.PULLING:
        return
    state.dirty = True
    if record.pull_failed(event.reason, event.message, now):
        out.append(Record("Warning", "Failed", event.message, record.name))
        out.append(Record("Warning", "Failed", f"Error: {event.reason}", record.name))
    else:
        message = f'Back-off pulling image "{record.spec.image}"'
        out.append(Record("Normal", "BackOff", message, record.name))


def _container_started(
    state: PodState, event: events.ContainerStarted, now: float, out: Out
) -> None:
    record = state.find(event.container)
    if record is None or record.attempt != event.attempt or record.stage is not Stage.STARTING:
        return
    record.stage = Stage.RUNNING
    record.restarts = record.attempt
    record.id, record.image_ref, record.started_at = event.id, event.image_ref, event.started_at
    record.start_retry = None
    record.wait_reason = record.wait_message = ""
    record.probings = () if record.init else probings(record.spec, now)
    state.dirty = True
    out.append(Record("Normal", "Created", f"Created container: {record.name}", record.name))
    out.append(Record("Normal", "Started", f"Started container {record.name}", record.name))


def _start_failed(state: PodState, event: events.ContainerFailed, now: float, out: Out) -> None:
    record = state.find(event.container)
    if record is None or record.attempt != event.attempt or record.stage is not Stage.STARTING:
        return
    state.dirty = True
    out.append(Record("Warning", "Failed", f"Error: {event.message}", record.name))
    if event.id:
        record.restarts = record.attempt
        if record.ended is not None:
            out.append(RemoveContainer(record.ended.id))
    restarts.after_failed_start(record, event, state.pod, now)


def _exited(state: PodState, event: events.ContainerExited, now: float, out: Out) -> None:
    record = state.find(event.container)
    if record is None or record.stage is not Stage.RUNNING or event.id != record.id:
        return
    if record.ended is not None:
        out.append(RemoveContainer(record.ended.id))
    started_at = event.started_at or record.started_at
    record.note_end(
        Ended(event.id, event.exit_code, event.reason, event.message, started_at, event.finished_at)
    )
    state.dirty = True
    if state.course is not Course.LIVE or state.failure is not None:
        record.stage = Stage.STOPPED
        return
    message = restarts.after_end(record, state.pod, now)
    if message:
        out.append(Record("Warning", "BackOff", message, record.name))


def _stop_failed(state: PodState, event: events.StopFailed, now: float, out: Out) -> None:
    record = state.find(event.container)
    if record is not None and record.stage is Stage.RUNNING and record.id == event.id:
        record.stop_grace_s = None
        record.stop_at = now + STOP_AGAIN_S
        out.append(Record("Warning", "FailedKillPod", event.message, record.name))


def _probed(state: PodState, event: events.ProbeFinished, now: float, out: Out) -> None:
    record = state.find(event.container)
    if record is None or record.stage is not Stage.RUNNING or record.id != event.id:
        return
    probing = next((item for item in record.probings if item.kind is event.kind), None)
    if probing is None:
        return
    was_ok = probing.ok
    if probing.answered(event.ok, now):
        message = f"{event.kind} probe failed: {event.message}"
        out.append(Record("Warning", "Unhealthy", message, record.name))
    state.dirty |= probing.ok is not was_ok


def _cleaned(state: PodState, _event: events.PodCleaned, _now: float, _out: Out) -> None:
    if state.course is Course.CLEANING:
        state.course = Course.GONE


def _clean_failed(state: PodState, event: events.CleanFailed, now: float, out: Out) -> None:
    if state.course is Course.CLEANING:
        state.course = Course.ENDING
        state.clean_retry.fail(now)
        out.append(Record("Warning", "FailedKillPod", event.message))


NOTE: dict[type, Callable[[PodState, Any, float, Out], None]] = {
    events.PodChanged: _changed,
    events.PodRemoved: _removed,
    events.Ticked: _ticked,
    events.VolumesReady: _volumes_ready,
    events.VolumesFailed: _volumes_failed,
    events.SandboxStarted: _sandbox_started,
    events.SandboxFailed: _sandbox_failed,
    events.SandboxExited: _sandbox_exited,
    events.ImageReady: _image_ready,
    events.ImageFailed: _image_failed,
    events.ContainerStarted: _container_started,
    events.ContainerFailed: _start_failed,
    events.ContainerExited: _exited,
    events.StopFailed: _stop_failed,
    events.ProbeFinished: _probed,
    events.PodCleaned: _cleaned,
    events.CleanFailed: _clean_failed,
}
