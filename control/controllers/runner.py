"""The shell of all controllers: hears of changes, reconciles, commits, and does so in short slices.

Order that must hold: every update goes to every trigger, once and in order, before the next
reconcile, so that counts kept by triggers are as level as the cache. A key has at most one
commit in flight; a commit returns only after the cache has applied it, so a reconcile always sees
its own writes. One reconcile that raises is logged with its key and backed off; the others go on.
Runs only in the leader, after it has applied an entry of its own term.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from holdfast.api import identity
from holdfast.api.errors import ApiError, Reason
from holdfast.control.controllers.decisions import (
    WRITES_MAX,
    Controller,
    Decision,
    Key,
    Order,
    Trigger,
)
from holdfast.control.controllers.work import Verdict, Work
from holdfast.control.hearing import SLICE_S, Hearing

if TYPE_CHECKING:
    from holdfast.control.cache import Cache, Entry, Update
    from holdfast.control.notes import Note
    from holdfast.control.recorder import Recorder
    from holdfast.control.registry import Done, Registry
    from holdfast.control.registry.intents import Intent

COMMITS_MAX = 2
"""Commits of one controller in flight: one is prepared while one is written."""
CONFLICTS = (Reason.CONFLICT, Reason.ALREADY_EXISTS, Reason.NOT_FOUND)
"""Refusals that mean something else was faster."""

log = structlog.get_logger()


@dataclass(slots=True)
class Counters:
    """For /metrics, one a controller. refused: single writes; raised: reconciles and commits."""

    reconciles: int = 0
    writes: int = 0
    refused: int = 0
    raised: int = 0


class Lane:
    """One controller with its queue and its commits in flight."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.work = Work(controller.interval_s)
        self.counters = Counters()
        self.identity = identity.of_controller(controller.name)
        self.commits: dict[asyncio.Task[None], None] = {}


class Runner:
    """Runs controllers. clock: Unix seconds; recorder: where notes go."""

    def __init__(
        self,
        cache: Cache,
        registry: Registry,
        controllers: Sequence[Controller],
        clock: Callable[[], float],
        recorder: Recorder,
    ) -> None:
        self._cache = cache
        self._registry = registry
        self._clock = clock
        self._recorder = recorder
        self._lanes = [Lane(controller) for controller in controllers]
        self._routes: dict[str, list[tuple[Lane, Trigger]]] = {}
        for lane in self._lanes:
            for resource, trigger in lane.controller.triggers.items():
                self._routes.setdefault(resource, []).append((lane, trigger))
        self._hearing = Hearing(cache, self._routes, self._tell_triggers)
        self._term = 0

    @property
    def counters(self) -> dict[str, Counters]:
        """Figures by controller."""
        return {lane.controller.name: lane.counters for lane in self._lanes}

    @property
    def depths(self) -> dict[str, int]:
        """Keys that wait or have writes in flight, by controller."""
        return {lane.controller.name: len(lane.work) + lane.work.busy for lane in self._lanes}

    async def run(self, term: int = 0) -> None:
        """Reconcile until cancelled. term: that of the leader; its commits carry it."""
        self._term = term
        self._hearing.begin()
        try:
            while True:
                self._hearing.wake.clear()
                await self._hearing.hear()
                if not self._round():
                    await self._sleep()
                await asyncio.sleep(0)
        finally:
            self._hearing.end()
            await self._cancel()

    def _tell_triggers(self, resource: str, updates: Sequence[Update]) -> None:
        now, view, routes = self._clock(), self._cache, self._routes[resource]
        for update in updates:
            for lane, trigger in routes:
                try:
                    for key in trigger(view, update):
                        lane.work.touch(key, now)
                except Exception:
                    lane.counters.raised += 1
                    log.exception("trigger failed", controller=lane.controller.name)

    def _round(self) -> bool:
        """One slice of every controller. False when all had nothing to do."""
        time = asyncio.get_running_loop().time
        until = time() + SLICE_S
        busy = False
        for lane in self._lanes:
            busy = self._turn(lane, until, time) or busy
        return busy

    def _turn(self, lane: Lane, until: float, time: Callable[[], float]) -> bool:
        """Reconcile keys of one controller into one commit; at least one, however late it is."""
        if len(lane.commits) >= COMMITS_MAX:
            return False
        decided: list[tuple[Key, Decision]] = []
        writes = looked = 0
        while writes < WRITES_MAX and (not looked or time() < until):
            now = self._clock()
            key = lane.work.take(now)
            if key is None:
                break
            looked += 1
            decision = self._reconcile(lane, key, now)
            if decision is None:
                continue
            if decision.orders:
                decided.append((key, decision))
                writes += len(decision.orders)
            else:
                lane.work.finish(key, Verdict.DONE, now, decision.again_at)
        if decided:
            task = asyncio.create_task(self._commit(lane, decided))
            lane.commits[task] = None
            task.add_done_callback(lambda done: lane.commits.pop(done, None))
        return looked > 0

    def _reconcile(self, lane: Lane, key: Key, now: float) -> Decision | None:
        lane.counters.reconciles += 1
        try:
            return lane.controller.reconcile(self._cache, key, now)
        except Exception:
            lane.counters.raised += 1
            log.exception("reconcile failed", controller=lane.controller.name, key=tuple(key))
            lane.work.finish(key, Verdict.FAILED, now)
            return None

    async def _commit(self, lane: Lane, decided: Sequence[tuple[Key, Decision]]) -> None:
        """Write what was decided for some keys and settle each."""
        intents: list[Intent] = []
        for _key, decision in decided:
            intents += decision.intents
        answers: Sequence[Done | ApiError] | None = None
        try:
            answers = await self._registry.commit(intents, lane.identity, term=self._term)
        except Exception:
            lane.counters.raised += 1
            log.exception("commit failed", controller=lane.controller.name, writes=len(intents))
        now = self._clock()
        start = 0
        for key, decision in decided:
            verdict = Verdict.FAILED
            if answers is not None:
                end = start + len(decision.orders)
                verdict = self._settle(lane, key, decision.orders, answers[start:end])
                start = end
            lane.work.finish(key, verdict, now, decision.again_at)
        self._hearing.wake.set()

    def _settle(
        self, lane: Lane, key: Key, orders: Sequence[Order], answers: Sequence[Done | ApiError]
    ) -> Verdict:
        """Count and tell the answers of one key; the worst of them is its verdict."""
        verdict = Verdict.DONE
        for order, answer in zip(orders, answers, strict=True):
            if not isinstance(answer, ApiError):
                lane.counters.writes += 1
                self._tell(order.done, "{name}", _name(answer.entry, order))
                continue
            lane.counters.refused += 1
            if answer.reason in CONFLICTS:
                verdict = Verdict.CONFLICT if verdict is Verdict.DONE else verdict
                continue
            if verdict is not Verdict.FAILED:  # the first of its kind speaks for all
                self._tell(order.refused, "{error}", answer.message)
                log.warning(
                    "write refused",
                    controller=lane.controller.name,
                    key=tuple(key),
                    resource=order.intent.resource,
                    reason=answer.reason,
                    error=answer.message,
                )
            verdict = Verdict.FAILED
        return verdict

    def _tell(self, note: Note | None, word: str, value: str) -> None:
        if note is not None:
            news = note.news._replace(message=note.news.message.replace(word, value))
            self._recorder.record(note._replace(news=news))

    async def _sleep(self) -> None:
        """Until something is heard, a commit ends, or a key falls due."""
        deadlines = [d for lane in self._lanes if (d := lane.work.deadline()) is not None]
        if not deadlines:
            await self._hearing.wake.wait()
            return
        wait_s = max(0.0, min(deadlines) - self._clock())
        handle = asyncio.get_running_loop().call_later(wait_s, self._hearing.wake.set)
        try:
            await self._hearing.wake.wait()
        finally:
            handle.cancel()

    async def _cancel(self) -> None:
        for lane in self._lanes:
            tasks = list(lane.commits)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _name(entry: Entry | None, order: Order) -> str:
    return entry.key.name if entry is not None else order.intent.name
