"""What becomes of a container after it ended or failed to start. Pure module."""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine.backoff import Retry, crash_delay
from holdfast.node.machine.containers import ContainerRecord, Ended, Stage
from holdfast.node.machine.events import ContainerFailed

START_ERROR_CODE = 128  # what a container that could not run its command is said to end with


def runs_again(policy: str, exit_code: int, *, init: bool) -> bool:
    """Whether a container starts again. policy: the pod's restartPolicy ("" = Always)."""
    if policy == "Never":
        return False
    return exit_code != 0 if init or policy == "OnFailure" else True


def after_end(record: ContainerRecord, pod: core.Pod, now: float) -> str:
    """Move a container whose `ended` was just noted on to its next stage.

    Returns the message of the BackOff event when it has to wait, else "".
    """
    ended = record.ended
    assert ended is not None
    if record.replace:
        record.replace = False
        record.attempt += 1
        record.wait("", "", now)
        return ""
    if not runs_again(pod.spec.restartPolicy, ended.exit_code, init=record.init):
        record.stage = Stage.STOPPED
        record.wait_reason = record.wait_message = ""
        return ""
    record.attempt += 1
    delay_s = crash_delay(record.crash_delay_s, ended.ran_s)
    record.crash_delay_s = delay_s
    if delay_s == 0.0:
        record.wait("", "", now)
        return ""
    name = f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"
    message = f"back-off {delay_s:.0f}s restarting failed container={record.name} pod={name}"
    record.wait("CrashLoopBackOff", message, max(ended.finished_at + delay_s, now))
    return f"Back-off restarting failed container {record.name} in pod {name}"


def after_failed_start(
    record: ContainerRecord, event: ContainerFailed, pod: core.Pod, now: float
) -> None:
    """Move a container that could not be created or started on to its next stage.

    One that was created counts as a run that ended at once; else the same attempt is made again.
    """
    if event.id:
        record.note_end(Ended(event.id, START_ERROR_CODE, "StartError", event.message, now, now))
        record.crash_delay_s = max(record.crash_delay_s, 0.0)
        after_end(record, pod, now)
        if record.stage is Stage.WAITING and record.crash_delay_s <= 1.0:
            record.wait(event.reason, event.message, record.next_at)
        return
    if record.start_retry is None:
        record.start_retry = Retry()
    record.start_retry.fail(now)
    record.wait(event.reason, event.message, record.start_retry.at)
