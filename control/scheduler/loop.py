"""The scheduler's shell: hears of pods and nodes, places in batches, commits the bindings.

Order that must hold: everything heard is counted before a batch is placed. A placement counts at
once (the view assumes it), and a refused binding is taken back. Pods that fit nowhere are told so
once, and tried again when a node came or changed or a pod went, not by a clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from holdfast.api import identity, kinds
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.api.objects import events, readiness
from holdfast.api.quantity import QuantityError
from holdfast.control.cache.indexes import NODE_AT
from holdfast.control.hearing import Hearing
from holdfast.control.notes import Note
from holdfast.control.registry.intents import Intent, Verb
from holdfast.control.scheduler.placement import (
    Binding,
    Failure,
    Pending,
    Placement,
    PlacementView,
    place,
)
from holdfast.control.scheduler.queue import PodQueue
from holdfast.control.scheduler.shapes import Shapes

if TYPE_CHECKING:
    import numpy as np

    from holdfast.control.cache import Cache, Entry, Update
    from holdfast.control.recorder import Recorder
    from holdfast.control.registry import Registry

BATCH_MAX = 100
"""Pods placed in one slice (some 50 µs each) and bound by one commit."""
COMMITS_MAX = 2
"""One is prepared while one is written."""
EASE_S = 0.05
"""After a change, pods that fit nowhere are looked at again so much later, together."""
TOLD_S = 10.0
"""What a waiting pod is told is renewed no sooner than this."""
SCHEDULER = "default-scheduler"
SOURCE = events.Source(SCHEDULER)

log = structlog.get_logger()


@dataclass(slots=True)
class Counters:
    """For /metrics. refused: bindings; unplaced: tries that found no node."""

    bound: int = 0
    refused: int = 0
    unplaced: int = 0


class SchedulerLoop:
    """Places pods while it runs. clock: Unix seconds; rng: breaks ties between equal nodes."""

    def __init__(
        self,
        cache: Cache,
        registry: Registry,
        recorder: Recorder,
        clock: Callable[[], float],
        rng: np.random.Generator,
    ) -> None:
        self.counters = Counters()
        self._cache = cache
        self._registry = registry
        self._recorder = recorder
        self._clock = clock
        self._rng = rng
        self._view = PlacementView()
        self._shapes = Shapes()
        self._queue = PodQueue()
        self._in_flight: dict[tuple[str, str], Pending] = {}
        self._commits: dict[asyncio.Task[None], None] = {}
        self._eased_at: float | None = None  # when something changed for the better
        self._hearing = Hearing(cache, ("nodes", "pods"), self._told)
        self._identity = identity.of_controller("scheduler")
        self._term = 0

    @property
    def waiting(self) -> int:
        """Pods without a node, for /metrics."""
        return len(self._queue) + len(self._in_flight)

    async def run(self, term: int = 0) -> None:
        """Schedule until cancelled. term: that of the leader; its commits carry it."""
        self._term = term
        self._hearing.begin()
        try:
            while True:
                self._hearing.wake.clear()
                await self._hearing.hear()
                if not self._step():
                    await self._sleep()
                await asyncio.sleep(0)
        finally:
            self._hearing.end()
            tasks = list(self._commits)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _told(self, resource: str, updates: Sequence[Update]) -> None:
        changed = self._node_changed if resource == "nodes" else self._pod_changed
        for update in updates:
            try:
                changed(update)
            except QuantityError as error:
                entry = update.new or update.old
                log.warning("not counted", object=repr(entry), error=str(error))

    def _node_changed(self, update: Update) -> None:
        if update.new is None:
            if update.old is not None:
                self._view.table.drop_node(update.old.key.name)
            return
        if update.old is None or _matters(update.old.message, update.new.message):
            self._view.table.set_node(update.new.message)
            self._ease()

    def _pod_changed(self, update: Update) -> None:
        entry = update.new or update.old
        assert entry is not None
        key = (entry.key.namespace, entry.key.name)
        pod: core.Pod = entry.message
        table = self._view.table
        if update.new is None or readiness.pod_finished(pod):
            self._queue.withdraw(key)
            if table.forget(key):
                self._ease()
            return
        node = entry.indexed[NODE_AT]
        if node:
            self._queue.withdraw(key)
            if table.node_of(key) != node:
                table.assume(key, node, self._shapes.of(pod, entry.owner))
            return
        flying = self._in_flight.get(key)
        if flying is not None and flying.uid == pod.metadata.uid:
            return
        if pod.metadata.HasField("deletionTimestamp") or pod.spec.schedulerName not in (
            "", SCHEDULER
        ):  # fmt: skip
            self._queue.withdraw(key)
        else:
            self._queue.offer(Pending(key, pod.metadata.uid, self._shapes.of(pod, entry.owner)))

    def _ease(self) -> None:
        """Something may fit now that did not before."""
        if self._queue.aside and self._eased_at is None:
            self._eased_at = self._clock() + EASE_S

    def _step(self) -> bool:
        """Place one batch. False when nothing is to be done."""
        now = self._clock()
        if self._eased_at is not None and self._eased_at <= now:
            self._eased_at = None
            self._try_aside(now)
        if len(self._commits) >= COMMITS_MAX:
            return False
        pods = self._queue.take(BATCH_MAX, now)
        if not pods:
            return False
        placement = place(self._view, pods, self._rng)
        orders = [_binding(binding) for binding in placement.bindings]
        for pod, failure in placement.failures:
            orders += self._unplaced(pod, failure, now)
        for binding in placement.bindings:
            self._in_flight[binding.pod.key] = binding.pod
            if binding.pod.shape in self._queue.aside:
                self._ease()  # some of its like still wait
        if orders:
            task = asyncio.create_task(self._commit(orders, placement))
            self._commits[task] = None
            task.add_done_callback(lambda done: self._commits.pop(done, None))
        return True

    def _try_aside(self, now: float) -> None:
        """One look a shape: pods that fit now, or have something new to be told, come back."""
        for shape, aside in list(self._queue.aside.items()):
            ranking = self._view.rankings.of(shape, self._rng)
            if ranking.best() >= 0:
                self._queue.release(shape)
                continue
            failure = Failure(len(self._view.table), ranking.reasons())
            if failure.message == aside.text:
                continue
            if aside.told_at + TOLD_S <= now:
                self._queue.release(shape)
            else:
                later = aside.told_at + TOLD_S
                self._eased_at = min(self._eased_at or later, later)

    def _unplaced(self, pod: Pending, failure: Failure, now: float) -> list[Intent]:
        """Put a pod aside; the write and the event that tell why, when they are news to it."""
        self.counters.unplaced += 1
        text = failure.message
        self._queue.put_aside(pod, text, now)
        entry = self._cache.get("pods", *pod.key)
        if entry is None or entry.message.metadata.uid != pod.uid:
            self._queue.withdraw(pod.key)
            return []
        told = core.PodStatus()
        told.CopyFrom(entry.message.status)
        changed = readiness.set_condition(
            told.conditions, "PodScheduled", "False", now, "Unschedulable", text
        )
        if not changed:
            return []
        self._record(entry, events.News(events.Severity.WARNING, "FailedScheduling", text))
        message = core.Pod(status=told)
        return [
            Intent(
                Verb.UPDATE, "pods", *pod.key, message, "status",
                expect_revision=entry.revision, uid=pod.uid,
            )
        ]  # fmt: skip

    async def _commit(self, intents: Sequence[Intent], placement: Placement) -> None:
        """Write a batch; what was refused is taken back."""
        try:
            answers = await self._registry.commit(intents, self._identity, term=self._term)
        except Exception:
            log.exception("bindings not written", bindings=len(placement.bindings))
            answers = []
        now = self._clock()
        for index, binding in enumerate(placement.bindings):
            if self._in_flight.get(binding.pod.key) is binding.pod:
                del self._in_flight[binding.pod.key]
            answer = answers[index] if answers else None
            if answer is None or isinstance(answer, ApiError):
                self._refused(binding, answer, now)
            else:
                self.counters.bound += 1
                self._bound(binding, answer.entry)
        self._hearing.wake.set()

    def _bound(self, binding: Binding, entry: Entry | None) -> None:
        if entry is not None:
            namespace, name = binding.pod.key
            text = f"Successfully assigned {namespace}/{name} to {binding.node}"
            self._record(entry, events.News(events.Severity.NORMAL, "Scheduled", text))

    def _refused(self, binding: Binding, error: ApiError | None, now: float) -> None:
        """Take the placement back, and judge the pod by what the cache says of it now."""
        self.counters.refused += 1
        pod = binding.pod
        if error is not None:
            log.info("binding refused", pod="/".join(pod.key), error=error.message)
        entry = self._cache.get("pods", *pod.key)
        node = entry.indexed[NODE_AT] if entry else ""
        if node and node == binding.node:
            return
        self._view.table.forget(pod.key)
        if entry is None or entry.message.metadata.HasField("deletionTimestamp"):
            return
        shape = self._shapes.of(entry.message, entry.owner)
        if node:
            self._view.table.assume(pod.key, node, shape)
        else:
            self._queue.refuse(Pending(pod.key, entry.message.metadata.uid, shape), now)

    def _record(self, entry: Entry, news: events.News) -> None:
        about = events.reference(kinds.by_resource("pods"), entry.message)
        self._recorder.record(Note(about, news, SOURCE))

    async def _sleep(self) -> None:
        """Until something is heard, a commit ends, or something falls due."""
        due = [when for when in (self._queue.deadline(), self._eased_at) if when is not None]
        if len(self._commits) >= COMMITS_MAX or not due:
            await self._hearing.wake.wait()
            return
        wait_s = max(0.0, min(due) - self._clock())
        handle = asyncio.get_running_loop().call_later(wait_s, self._hearing.wake.set)
        try:
            await self._hearing.wake.wait()
        finally:
            handle.cancel()


def _binding(binding: Binding) -> Intent:
    message = core.Pod()
    message.spec.nodeName = binding.node
    return Intent(Verb.UPDATE, "pods", *binding.pod.key, message, "binding", uid=binding.pod.uid)


def _matters(old: core.Node, new: core.Node) -> bool:
    """Whether a change of a node can matter to placement (a heartbeat does not)."""
    return (
        old.spec != new.spec
        or old.metadata.labels != new.metadata.labels
        or old.status.allocatable != new.status.allocatable
        or old.status.capacity != new.status.capacity
    )
