"""What must happen next, seen from a pod's whole state. Pure module.

`advance` is called after every event and is idempotent: what is under way is marked in the state
and not ordered twice. A pod winds down in one order that must hold: every container has ended,
then CleanPod, and only after PodCleaned is its object deleted: as long as the object is there, it
may run here.
"""

from __future__ import annotations

import math

from holdfast.node.machine import instructions
from holdfast.node.machine.containers import ContainerRecord, Stage
from holdfast.node.machine.events import ProbeKind
from holdfast.node.machine.instructions import Instruction
from holdfast.node.machine.state import Course, PodState, Shell

Out = list[Instruction]


def advance(state: PodState, now: float, out: Out) -> None:
    """Order what the state asks for, marking it as under way."""
    if state.course is Course.LIVE:
        if state.failure is not None:
            _stop_all(state, now, out, state.spec_grace_s())
        elif state.shell is Shell.DEAD:
            _replace_sandbox(state, now, out)
        else:
            _prepare(state, now, out)
            _run_containers(state, now, out)
        _maybe_over(state, out)
    elif state.course is Course.ENDING:
        assert state.grace_s is not None
        _stop_all(state, now, out, state.grace_s)
        _maybe_clean(state, now, out)
    elif state.course is Course.GONE and not state.removed and not state.deleting:
        state.deleting = True
        out.append(instructions.DeletePod())


def _prepare(state: PodState, now: float, out: Out) -> None:
    if not state.volumes_ready and not state.mounting and now >= state.mount_retry.at:
        state.mounting = True
        out.append(instructions.MountVolumes())
    if state.shell is Shell.NONE and now >= state.sandbox_retry.at:
        state.shell = Shell.STARTING
        out.append(instructions.RunSandbox(state.sandbox_attempt))


def _run_containers(state: PodState, now: float, out: Out) -> None:
    for record in state.turn():
        if record.stage is Stage.WAITING and now >= record.next_at:
            record.stage = Stage.PULLING
            out.append(instructions.EnsureImage(record.spec))
        elif record.stage is Stage.PULLED:
            _maybe_start(state, record, out)
        elif record.stage is Stage.RUNNING:
            _watch_over(state, record, now, out)


def _maybe_start(state: PodState, record: ContainerRecord, out: Out) -> None:
    if state.shell is not Shell.READY or not state.volumes_ready:
        return
    record.stage = Stage.STARTING
    out.append(
        instructions.StartContainer(
            record.spec, record.attempt, state.sandbox_id, state.sandbox_attempt, record.init
        )
    )


def _watch_over(state: PodState, record: ContainerRecord, now: float, out: Out) -> None:
    why = record.stop_why
    if record.replace:
        why = why or f"Container {record.name} definition changed, will be restarted"
    for probing in record.probings:
        if probing.kind is ProbeKind.LIVENESS and not probing.ok:
            why = why or f"Container {record.name} failed liveness probe, will be restarted"
    if why:
        _stop(state, record, why, state.spec_grace_s(), now, out)
        return
    for probing in record.probings:
        if probing.due(now):
            probing.in_flight = True
            out.append(instructions.RunProbe(record.name, record.id, probing.kind, probing.probe))


def _stop(
    state: PodState, record: ContainerRecord, why: str, grace_s: int, now: float, out: Out
) -> None:
    if not record.stop_why:
        record.stop_why = why
        record.probings = ()
        state.dirty = True
        out.append(instructions.Record("Normal", "Killing", why, record.name))
    told = record.stop_grace_s
    if now >= record.stop_at and (told is None or told > grace_s):
        record.stop_grace_s = grace_s
        out.append(instructions.StopContainer(record.name, record.id, grace_s))


def _stop_all(state: PodState, now: float, out: Out, grace_s: int) -> None:
    for record in state.records():
        if record.stage is Stage.RUNNING:
            _stop(state, record, f"Stopping container {record.name}", grace_s, now, out)
        elif record.stage is not Stage.STARTING:
            record.stage = Stage.STOPPED


def _replace_sandbox(state: PodState, now: float, out: Out) -> None:
    """The sandbox died: end what still runs in it, then begin anew in the next one."""
    for record in state.records():
        if record.stage is Stage.RUNNING:
            _stop(state, record, f"Stopping container {record.name}", 0, now, out)
    if state.busy():
        return
    out.append(instructions.RemoveSandbox(state.sandbox_id))
    state.shell, state.sandbox_id, state.ip = Shell.NONE, "", ""
    state.sandbox_attempt += 1
    if all(record.stage is Stage.STOPPED for record in state.containers):
        return
    for record in state.inits:
        if record.stage is Stage.STOPPED:
            record.attempt += 1
            record.wait("", "", now)
    _prepare(state, now, out)
    _run_containers(state, now, out)


def _maybe_over(state: PodState, out: Out) -> None:
    if state.busy():
        return
    failed_init = any(record.stage is Stage.STOPPED and not record.done for record in state.inits)
    if not failed_init and any(record.stage is not Stage.STOPPED for record in state.containers):
        return
    state.course = Course.OVER
    state.dirty = True
    if state.shell is Shell.READY:
        out.append(instructions.StopSandbox(state.sandbox_id))


def _maybe_clean(state: PodState, now: float, out: Out) -> None:
    if state.busy() or state.mounting or state.shell is Shell.STARTING:
        return
    if now >= state.clean_retry.at:
        state.course = Course.CLEANING
        out.append(instructions.CleanPod())


def deadline(state: PodState) -> float:
    """When time alone moves the pod on, Unix seconds; infinity when only an event can."""
    times = [math.inf]
    if state.course is Course.LIVE:
        if state.failure is None and state.shell is not Shell.DEAD:
            times.append(state.expires_at())
            if not state.volumes_ready and not state.mounting:
                times.append(state.mount_retry.at)
            if state.shell is Shell.NONE:
                times.append(state.sandbox_retry.at)
            for record in state.turn():
                if record.stage is Stage.WAITING:
                    times.append(record.next_at)
                times += [item.next_at for item in record.probings if not item.in_flight]
    elif state.course is Course.ENDING and not state.busy():
        times.append(state.clean_retry.at or math.inf)
    if state.course in (Course.LIVE, Course.ENDING):
        for record in state.records():
            if record.stop_why and record.stop_grace_s is None:
                times.append(record.stop_at)
    return min(times)
