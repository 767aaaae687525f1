"""`bin/sim`: run seeds of the simulation, and say which of them broke a promise.

    bin/sim --seeds 1..500            whole control nodes on a virtual clock
    bin/sim --core --seeds 1..5000    the consensus core and the state machine alone
    bin/sim --mutants [NUMBER…]       the planted bugs: each must be found by its checker

A seed replays its run exactly; `--trace` prints it. Ends with 1 when a promise was broken, a seed
was void or an event that must happen never did.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.sim.campaign import WORKERS, Summary, Tier, reports
from tests.sim.report import Report
from tests.sim.tiers import tier_named

TOLD_MAX = 8
"""Violations of one seed that are printed; what one mistake does is often seen many times."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit status."""
    options = _parser().parse_args(arguments)
    if options.mutants is not None:
        from tests.sim.mutants.hunt import hunt

        return hunt(options.mutants, options.workers)
    tier = tier_named("core" if options.core else "whole")
    seeds = _range(options.seeds)
    if options.digests:
        return _digests(tier, seeds, options.workers)
    if options.expect:
        return _expect(tier, seeds, options)
    return _campaign(tier, seeds, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/sim", description="seeded simulation")
    parser.add_argument("--seeds", default="1..100", metavar="A..B", help="which seeds to run")
    parser.add_argument("--core", action="store_true", help="the core tier")
    parser.add_argument("--workers", type=int, default=WORKERS, help="worker processes")
    parser.add_argument("--quiet", action="store_true", help="say only what went wrong")
    parser.add_argument("--trace", action="store_true", help="print the newest steps of failures")
    parser.add_argument("--digests", action="store_true", help="print each seed's trace hash only")
    parser.add_argument(
        "--expect",
        metavar="LETTERS",
        help="stop at the first seed that one of these checkers fails",
    )
    parser.add_argument(
        "--mutants", nargs="*", metavar="NUMBER", help="plant bugs and find them (default: all)"
    )
    return parser


def _range(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _campaign(tier: Tier, seeds: range, options: argparse.Namespace) -> int:
    summary = Summary(tier)
    for report in reports(tier, seeds, options.workers):
        summary.add(report)
        _tell(report, options.trace)
    for line in () if options.quiet else summary.table():
        _say(line)
    return 0 if summary.well else 1


def _tell(report: Report, trace: bool) -> None:
    if trace and (report.violations or report.void):
        for line in report.lines:
            _say(f"    {line}")
    for checker, sentence in report.violations[:TOLD_MAX]:
        _say(f"seed {report.seed}: {checker}: {sentence}")
    if (more := len(report.violations) - TOLD_MAX) > 0:
        _say(f"seed {report.seed}: and {more} more")
    if report.void:
        _say(f"seed {report.seed} is void: {report.void}")


def _digests(tier: Tier, seeds: range, workers: int) -> int:
    for report in reports(tier, seeds, workers):
        _say(f"{report.seed} {report.digest}")
    return 0


def _expect(tier: Tier, seeds: range, options: argparse.Namespace) -> int:
    """0 when the checker fires; 1 when no seed makes it."""
    others = 0
    for report in reports(tier, seeds, options.workers):
        for checker, sentence in report.violations:
            if checker in options.expect:
                _say(f"seed {report.seed}: {checker}: {sentence}")
                return 0
            others += 1
            if others <= 3:
                _say(f"(seed {report.seed}: {checker}: {sentence})")
    _say(f"{options.expect} found nothing in seeds {seeds.start}..{seeds.stop - 1}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
