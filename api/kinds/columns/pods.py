"""The columns of pods: the one-word status people know from kubectl get. Pure module.

The word follows kubectl's printer (pkg/printers/internalversion printPod): the first init
container that is not done wins, then the last container with a reason, then the phase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api.kinds import cells
from holdfast.api.kinds.kind import AGE, NAME, Column

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core


def _terminated(state: core.ContainerStateTerminated) -> str:
    if state.reason:
        return state.reason
    return f"Signal:{state.signal}" if state.signal else f"ExitCode:{state.exitCode}"


def _init_status(pod: core.Pod) -> str:
    """The word while init containers run, "" when all are done."""
    for number, status in enumerate(pod.status.initContainerStatuses):
        state = status.state
        if state.HasField("terminated"):
            if state.terminated.exitCode == 0:
                continue
            return "Init:" + _terminated(state.terminated)
        if state.waiting.reason not in ("", "PodInitializing"):
            return "Init:" + state.waiting.reason
        return f"Init:{number}/{len(pod.spec.initContainers)}"
    return ""


def _condition(pod: core.Pod, name: str) -> bool:
    return any(c.type == name and c.status == "True" for c in pod.status.conditions)


def _container_status(pod: core.Pod, word: str) -> str:
    running = False
    for status in reversed(pod.status.containerStatuses):
        state = status.state
        if state.waiting.reason:
            word = state.waiting.reason
        elif state.HasField("terminated"):
            word = _terminated(state.terminated)
        elif status.ready and state.HasField("running"):
            running = True
    if word == "Completed" and running:
        return "Running" if _condition(pod, "Ready") else "NotReady"
    return word


def status(pod: core.Pod) -> str:
    """The pod's state in one word: Running, CrashLoopBackOff, Init:0/1, Terminating…"""
    phase = pod.status.phase
    deleted = pod.metadata.HasField("deletionTimestamp")
    if deleted and pod.status.reason == "NodeLost":
        return "Unknown"
    if deleted and phase not in ("Succeeded", "Failed"):
        return "Terminating"
    initializing = _init_status(pod)
    if initializing and not _condition(pod, "Initialized"):
        return initializing
    return _container_status(pod, pod.status.reason or phase)


def ready(pod: core.Pod) -> str:
    """Ready containers of all containers: "1/2"."""
    count = sum(s.ready and s.state.HasField("running") for s in pod.status.containerStatuses)
    return f"{count}/{len(pod.spec.containers)}"


def restarts(pod: core.Pod, now: float) -> str:
    """How often containers were restarted, and how long ago the last one ended."""
    found = pod.status.containerStatuses
    if _init_status(pod) and not _condition(pod, "Initialized"):
        found = pod.status.initContainerStatuses
    total = sum(s.restartCount for s in found)
    last = max((s.lastState.terminated.finishedAt.seconds for s in found), default=0)
    return f"{total} ({cells.duration(now - last)} ago)" if total and last else str(total)


def _ip(pod: core.Pod, _now: float) -> str:
    return pod.status.podIP or cells.NONE


def _node(pod: core.Pod, _now: float) -> str:
    return pod.spec.nodeName or cells.NONE


def _nominated(pod: core.Pod, _now: float) -> str:
    return pod.status.nominatedNodeName or cells.NONE


def _gates(pod: core.Pod, _now: float) -> str:
    gates = pod.spec.readinessGates
    passed = sum(_condition(pod, gate.conditionType) for gate in gates)
    return f"{passed}/{len(gates)}" if gates else cells.NONE


PODS = (
    NAME,
    Column("Ready", "string", 0, lambda pod, _now: ready(pod)),
    Column("Status", "string", 0, lambda pod, _now: status(pod)),
    Column("Restarts", "string", 0, restarts),
    AGE,
    Column("IP", "string", 1, _ip),
    Column("Node", "string", 1, _node),
    Column("Nominated Node", "string", 1, _nominated),
    Column("Readiness Gates", "string", 1, _gates),
)
