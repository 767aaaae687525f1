"""One node's writes: pod statuses, final deletes and events, in batches of its own.

They go over the node's session, at most one batch at a time; what gathers meanwhile goes into
the next, and of one pod only the latest status. Statuses and deletes are levels: one that did not
get through is built anew and sent again after a growing wait. Events ride along and are never
sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from holdfast.api.client import Outcome, Write, WriteVerb
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.node.machine import status
from holdfast.node.machine.backoff import Retry
from holdfast.node.machine.instructions import Record
from holdfast.node.machine.pod import PodMachine
from holdfast.node.machine.state import Course
from holdfast.node.timers import Timers
from holdfast.node.uplink.recorder import Recorder

GATHER_S = 0.01
"""A status waits this long for others of its node."""
STARTING_S = 0.5
"""One that only says "being made" waits this long for the pod to run instead."""
EVENTS_S = 1.0
WRITES_MAX = 200

log = structlog.get_logger()


class Way(Protocol):
    """Where writes go: the node's session."""

    async def batch(self, writes: Sequence[Write]) -> list[Outcome]: ...


class Writer:
    """Sends what one node has to say. Synchronous to call; sending is a task of its own."""

    def __init__(
        self,
        timers: Timers,
        recorder: Recorder,
        host_ip: str,
        gone: Callable[[str], None],
    ) -> None:
        """gone: told the uid of a pod whose object turned out not to exist any more."""
        self.host_ip = host_ip
        self.way: Way | None = None  # set when a control node may be reached
        self._timers = timers
        self._recorder = recorder
        self._gone = gone
        self._statuses: dict[str, tuple[float, PodMachine]] = {}
        self._deletes: dict[str, PodMachine] = {}
        self._sent: dict[str, bytes] = {}
        self._retry = Retry(0.2, 5.0)
        self._armed_for = 0.0
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def changed(self, machine: PodMachine) -> None:
        """A machine's status may have changed."""
        machine.dirty = False
        wait_s = STARTING_S if status.is_starting(machine) else GATHER_S
        due_at = self._timers.now() + wait_s
        waiting = self._statuses.get(machine.uid)
        if waiting is None or waiting[0] > due_at:
            self._statuses[machine.uid] = (due_at, machine)
            self._arm(due_at)

    def delete(self, machine: PodMachine) -> None:
        """Nothing of a pod is left on this node: delete its object."""
        self._deletes[machine.uid] = machine
        self._arm(self._timers.now())

    def record(self, machine: PodMachine, news: Record) -> None:
        """Tell users something about a pod, if there is room for it."""
        meta = machine.pod.metadata
        reference = core.ObjectReference(
            apiVersion="v1", kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid
        )
        self.record_about(reference, news)

    def record_about(self, involved: core.ObjectReference, news: Record) -> None:
        """Tell users something about any object."""
        now = self._timers.now()
        if self._recorder.record(involved, news, now) and len(self._recorder) == 1:
            self._arm(now + EVENTS_S)

    def forget(self, uid: str) -> None:
        """A pod is gone."""
        self._sent.pop(uid, None)
        self._statuses.pop(uid, None)
        self._deletes.pop(uid, None)

    def resend(self, machines: list[PodMachine]) -> None:
        """Say everything again: the cluster may have missed it, or changed it."""
        self._sent.clear()
        self._retry.clear()
        for machine in machines:
            self.changed(machine)

    async def stop(self) -> None:
        """Send nothing more; waits for the batch under way."""
        self._stopped = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _arm(self, when: float) -> None:
        when = max(when, self._retry.at)
        if self._task is None and (self._armed_for == 0.0 or when < self._armed_for):
            self._armed_for = when
            self._timers.at(when, self._fire, when)

    def _fire(self, when: float) -> None:
        if when == self._armed_for and self._task is None and not self._stopped:
            self._armed_for = 0.0
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            statuses, deletes = self._take_statuses(), self._take_deletes()
            writes = [write for _, write in (*statuses, *deletes)]
            writes += [_event_write(*told) for told in self._recorder.take()]
            if writes:
                if self.way is None:
                    raise ApiError(Reason.UNAVAILABLE, "not connected to a control node yet")
                outcomes = await self.way.batch(writes)
                self._sort_out(statuses, deletes, outcomes)
        except ApiError as error:
            wait_s = self._retry.fail(self._timers.now())
            log.warning("writes not accepted", why=error.message, again_s=wait_s)
            self._put_back([*statuses, *deletes])
        finally:
            self._task = None
            self._arm_next()

    def _arm_next(self) -> None:
        times = [due_at for due_at, _ in self._statuses.values()]
        if self._deletes:
            times.append(0.0)
        if len(self._recorder):
            times.append(self._timers.now() + EVENTS_S)
        if times:
            self._arm(max(min(times), self._timers.now()))

    def _take_statuses(self) -> list[tuple[PodMachine, Write]]:
        """The statuses that are due and say something new."""
        now = self._timers.now()
        due = [machine for at, machine in self._statuses.values() if at <= now][:WRITES_MAX]
        taken = []
        for machine in due:
            del self._statuses[machine.uid]
            if machine.course in (Course.CLEANING, Course.GONE):
                continue
            built = status.build(machine, self.host_ip, now)
            data = built.SerializeToString(deterministic=True)
            if self._sent.get(machine.uid) != data:
                self._sent[machine.uid] = data
                taken.append((machine, _status_write(machine, built)))
        return taken

    def _take_deletes(self) -> list[tuple[PodMachine, Write]]:
        due = list(self._deletes.values())[:WRITES_MAX]
        for machine in due:
            del self._deletes[machine.uid]
        return [(machine, _delete_write(machine)) for machine in due]

    def _sort_out(
        self,
        statuses: list[tuple[PodMachine, Write]],
        deletes: list[tuple[PodMachine, Write]],
        outcomes: list[Outcome],
    ) -> None:
        again: list[tuple[PodMachine, Write]] = []
        for item, outcome in zip((*statuses, *deletes), outcomes, strict=False):
            error, machine = outcome.error, item[0]
            if error is None:
                continue
            if error.reason is Reason.NOT_FOUND:
                self.forget(machine.uid)
                self._gone(machine.uid)
                continue
            log.warning("write refused", pod=machine.pod.metadata.name, why=error.message)
            if error.reason is Reason.CONFLICT or item[1].verb is WriteVerb.DELETE:
                again.append(item)
        events = outcomes[len(statuses) + len(deletes) :]
        for outcome in events:
            if outcome.error is not None:
                self._recorder.refused(self._timers.now(), outcome.error.retry_after_s)
        if again:
            self._retry.fail(self._timers.now())
            self._put_back(again)
        else:
            self._retry.clear()

    def _put_back(self, items: list[tuple[PodMachine, Write]]) -> None:
        for machine, write in items:
            if write.verb is WriteVerb.DELETE:
                self._deletes[machine.uid] = machine
            else:
                self._sent.pop(machine.uid, None)
                self._statuses.setdefault(machine.uid, (0.0, machine))


def _status_write(machine: PodMachine, built: core.PodStatus) -> Write:
    meta = machine.pod.metadata
    message = core.Pod(status=built)
    message.metadata.namespace, message.metadata.name = meta.namespace, meta.name
    return Write(WriteVerb.UPDATE, "pods", message=message, subresource="status", uid=meta.uid)


def _event_write(event: core.Event, again: bool) -> Write:
    return Write(WriteVerb.UPDATE if again else WriteVerb.CREATE, "events", message=event)


def _delete_write(machine: PodMachine) -> Write:
    meta = machine.pod.metadata
    return Write(
        WriteVerb.DELETE,
        "pods",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        grace_period_s=0,
    )
