"""A pod's status, built from its machine's state exactly as Kubernetes shapes it. Pure module.

Phases follow the kubelet's getPhase; conditions keep the time of their last transition; what
others wrote into the status (PodScheduled, readiness gates) is carried over.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.meta.v1 import meta_pb2 as meta
from holdfast.api.objects import requests
from holdfast.node.machine.containers import ContainerRecord, Ended, Stage
from holdfast.node.machine.state import Course, PodState, Shell

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


def build(state: PodState, host_ip: str, now: float) -> core.PodStatus:
    """The status to write. host_ip: the node's address. now: Unix seconds.

    Remembers in `state.conditions` since when each condition is what it is.
    """
    pod = state.pod
    status = core.PodStatus(
        phase=phase(state),
        hostIP=host_ip,
        qosClass=pod.status.qosClass or requests.qos_class(pod),
        startTime=_time(state.started_at),
        observedGeneration=pod.metadata.generation or None,
    )
    if host_ip:
        status.hostIPs.add(ip=host_ip)
    ip = host_ip if pod.spec.hostNetwork and state.shell is Shell.READY else state.ip
    if ip:
        status.podIP = ip
        status.podIPs.add(ip=ip)
    if state.failure is not None:
        status.reason, status.message = state.failure
    _conditions(state, status, int(now))
    initialized = state.initialized
    for record in state.inits:
        _container(record, status.initContainerStatuses.add(), "PodInitializing")
    waiting = "ContainerCreating" if initialized else "PodInitializing"
    for record in state.containers:
        _container(record, status.containerStatuses.add(), waiting)
    return status


def is_starting(state: PodState) -> bool:
    """Whether the status says no more than that containers are being made: not worth a write of
    its own when the pod is about to run."""
    if state.course is not Course.LIVE:
        return False
    return all(
        record.stage is not Stage.RUNNING and not record.wait_reason and record.ended is None
        for record in state.records()
    )


def phase(state: PodState) -> str:
    """Pending, Running, Succeeded or Failed."""
    if state.course is Course.OVER and not any(map(_begun, state.records())):
        return state.pod.status.phase if state.failure is None else "Failed"
    if state.failure is not None:
        return "Failed" if state.course is Course.OVER else "Running"
    if any(record.stage is Stage.STOPPED and not record.done for record in state.inits):
        return "Pending" if state.course is Course.ENDING else "Failed"
    if not all(map(_begun, state.containers)):
        return "Pending"
    if any(record.stage is not Stage.STOPPED for record in state.containers):
        return "Running"
    codes = [record.ended.exit_code for record in state.containers if record.ended is not None]
    if state.course is Course.OVER or state.grace_s is not None:
        return "Failed" if any(codes) else "Succeeded"
    return "Running"


def _begun(record: ContainerRecord) -> bool:
    """Whether it ran at least once."""
    return record.stage is Stage.RUNNING or record.ended is not None


def _conditions(state: PodState, status: core.PodStatus, now: int) -> None:
    over = status.phase in ("Succeeded", "Failed")
    unready = [record.name for record in state.containers if not record.ready]
    incomplete = [record.name for record in state.inits if not record.done]
    add = _Conditions(state, status, now).add
    add("PodReadyToStartContainers", state.shell is Shell.READY and not over)
    if incomplete and not over:
        add("Initialized", False, "ContainersNotInitialized", _listed("incomplete", incomplete))
    else:
        add("Initialized", True, "PodCompleted" if status.phase == "Succeeded" else "")
    if over:
        reason, message = f"Pod{'Completed' if status.phase == 'Succeeded' else 'Failed'}", ""
    elif state.course is not Course.LIVE:
        reason, message = "PodTerminating", "pod is being deleted"
    else:
        reason, message = "ContainersNotReady", _listed("unready", unready)
    ready = not unready and not over and state.course is Course.LIVE
    gate = _closed_gate(state.pod)
    if ready and gate:
        add("Ready", False, "ReadinessGatesNotReady", gate)
    else:
        add("Ready", ready, "" if ready else reason, "" if ready else message)
    add("ContainersReady", ready, "" if ready else reason, "" if ready else message)
    for found in state.pod.status.conditions:
        if found.type not in OWN_CONDITIONS:
            status.conditions.add().CopyFrom(found)


class _Conditions:
    """Adds conditions to a status, with the time each last changed."""

    def __init__(self, state: PodState, status: core.PodStatus, now: int) -> None:
        self._since = state.conditions
        self._status = status
        self._now = now

    def add(self, kind: str, true: bool, reason: str = "", message: str = "") -> None:
        value = "True" if true else "False"
        before = self._since.get(kind)
        if before is None or before[0] != value:
            before = self._since[kind] = (value, self._now)
        condition = self._status.conditions.add(type=kind, status=value)
        condition.lastTransitionTime.seconds = before[1]
        if reason:
            condition.reason = reason
        if message:
            condition.message = message


def _listed(what: str, names: Iterable[str]) -> str:
    return f"containers with {what} status: [{' '.join(names)}]"


def _closed_gate(pod: core.Pod) -> str:
    """The first readiness gate that is not True, as the kubelet words it."""
    true = {found.type for found in pod.status.conditions if found.status == "True"}
    for gate in pod.spec.readinessGates:
        if gate.conditionType not in true:
            return (
                f'the status of pod readiness gate "{gate.conditionType}" is not "True", but False'
            )
    return ""


def _container(record: ContainerRecord, status: core.ContainerStatus, waiting: str) -> None:
    running = record.stage is Stage.RUNNING
    status.name = record.name
    status.image = record.spec.image
    status.imageID = record.image_ref
    # What is absent is 0 or False here: a status in normal form is taken as it is.
    if record.restarts:
        status.restartCount = record.restarts
    if record.done if record.init else record.ready:
        status.ready = True
    status.started = running
    ended, before = record.ended, record.ended
    identity = record.id or (ended.id if ended is not None else "")
    if identity:
        status.containerID = "containerd://" + identity
    if running:
        status.state.running.startedAt.seconds = int(record.started_at)
    elif record.wait_reason:
        status.state.waiting.reason = record.wait_reason
        status.state.waiting.message = record.wait_message
    elif ended is not None:
        _terminated(ended, status.state.terminated)
        before = record.ended_before
    else:
        status.state.waiting.reason = waiting
    if before is not None:
        _terminated(before, status.lastState.terminated)


def _terminated(ended: Ended, state: core.ContainerStateTerminated) -> None:
    if ended.exit_code:
        state.exitCode = ended.exit_code
    state.reason = ended.reason
    if ended.message:
        state.message = ended.message
    if ended.started_at:
        state.startedAt.seconds = int(ended.started_at)
    if ended.finished_at:
        state.finishedAt.seconds = int(ended.finished_at)
    if ended.id:
        state.containerID = "containerd://" + ended.id


def _time(at: float) -> meta.Time:
    return meta.Time(seconds=int(at))
