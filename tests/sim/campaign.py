"""Many seeds: run them in worker processes, gather their reports, say what was found.

A tier is a function from seed to Report and the events that must happen in a large campaign.
Each worker is forked from this process, so what was imported is shared; a run has the garbage
collector off, so that no finalizer runs at a moment that another process would not choose.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.sim.report import Report

WORKERS = 2


@dataclass(frozen=True)
class Tier:
    """One kind of run. fresh: every seed gets a process of its own. A campaign of at least
    `full_from` seeds fails when an event that must happen never did."""

    name: str
    run: Callable[[int], Report]
    must_happen: tuple[str, ...]
    fresh: bool
    full_from: int


class Attempt:
    """A tier's run, safe to send to a worker: an error in it is a finding, not a crash."""

    def __init__(self, tier: Tier) -> None:
        self._run = tier.run

    def __call__(self, seed: int) -> Report:
        gc.disable()
        begun = time.process_time()
        try:
            report = self._run(seed)
        except Exception:
            found = [("error", traceback.format_exc(limit=-8))]
            report = Report(seed, "", found)
        report.cpu_s = time.process_time() - begun
        gc.enable()
        if not seed % 20:
            gc.collect()
        return report


def reports(tier: Tier, seeds: Iterable[int], workers: int = WORKERS) -> Iterator[Report]:
    """Run the seeds; their reports in the order of seeds."""
    attempt = Attempt(tier)
    if workers == 1 and not tier.fresh:
        yield from map(attempt, seeds)
        return
    gc.collect()
    gc.freeze()
    context = multiprocessing.get_context("fork")
    with context.Pool(workers, maxtasksperchild=1 if tier.fresh else None) as pool:
        yield from pool.imap(attempt, seeds, chunksize=1 if tier.fresh else 10)


class Summary:
    """What a campaign found."""

    def __init__(self, tier: Tier) -> None:
        self._tier = tier
        self.seeds = 0
        self.failed: list[Report] = []
        self.void: list[Report] = []
        self.counts: Counter[str] = Counter()
        self.cpu_s = 0.0

    def add(self, report: Report) -> None:
        """One more seed."""
        self.seeds += 1
        self.cpu_s += report.cpu_s
        self.counts.update(report.counts)
        if report.violations:
            self.failed.append(report)
        elif report.void:
            self.void.append(report)

    @property
    def missing(self) -> list[str]:
        """Events that should have happened in so many seeds and did not."""
        if self.seeds < self._tier.full_from:
            return []
        return [event for event in self._tier.must_happen if not self.counts[event]]

    @property
    def well(self) -> bool:
        """Nothing was found, and the campaign proves something."""
        return not (self.failed or self.void or self.missing)

    def table(self) -> Iterator[str]:
        """The events with how often they happened, then the verdict."""
        for event in sorted({*self._tier.must_happen, *self.counts}):
            yield f"{self.counts[event]:>9}  {event}"
        for event in self.missing:
            yield f"never happened: {event}"
        yield (
            f"{self.seeds} seeds of tier {self._tier.name}: {len(self.failed)} failed, "
            f"{len(self.void)} void, {self.cpu_s / max(1, self.seeds):.2f} s of CPU a seed"
        )
