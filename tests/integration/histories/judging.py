"""Judges a run of real control nodes by the simulation's checkers.

What happened is what stands on the members' disks at the end; what was told is in the ledger.
Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from holdfast.control.store.commands import Change
from tests.integration.histories.ledger import Disk, Ledger
from tests.integration.histories.placing import place
from tests.sim.checkers import acknowledged, once, registers, replay, watches
from tests.sim.history import History
from tests.sim.violations import Checker

VIOLATIONS_MAX = 50


def judge(ledger: Ledger, disks: Mapping[int, Disk]) -> list[str]:
    """One sentence, with its checker's letter, for everything that is wrong. disks: by member, of
    those that have one."""
    found = []
    for checker, sentence in _judge(ledger, disks):
        found.append(f"{checker}: {sentence}")
        if len(found) == VIOLATIONS_MAX:
            break
    return found


def judge_leaders(leaders: Iterable[tuple[int, str]]) -> list[str]:
    """One sentence for every term in which more than one led. leaders: term and host, as logged."""
    hosts: dict[int, dict[str, None]] = {}
    for term, host in leaders:
        hosts.setdefault(term, {})[host] = None
    return [
        f"{Checker.LEADERS}: {' and '.join(several)} both led in term {term}"
        for term, several in sorted(hosts.items())
        if len(several) > 1
    ]


def _judge(ledger: Ledger, disks: Mapping[int, Disk]) -> Iterator[tuple[Checker, str]]:
    for complaint in ledger.complaints:
        yield Checker.LIVENESS, complaint
    for sentence in _same(disks):
        yield Checker.SAMENESS, sentence
    longest = max(disks.values(), key=lambda disk: disk.revision)
    ledger.history.floor = max(disk.floor for disk in disks.values())
    history, nowhere = place(ledger.history, longest.changes)
    for sentence in nowhere:
        yield Checker.REPLAY, sentence
    watched = History([], history.watches, longest.changes, floor=history.floor)
    reached = {member: disk.revision for member, disk in disks.items()}
    checks = (
        (Checker.REPLAY, replay.check(history)),
        (Checker.LINEARIZABILITY, registers.check(history)),
        (Checker.ACKNOWLEDGED, acknowledged.check(history, reached)),
        (Checker.ONCE, once.check(history)),
        (Checker.WATCHES, watches.check(watched)),
    )
    for checker, sentences in checks:
        for sentence in sentences:
            yield checker, sentence


def _same(disks: Mapping[int, Disk]) -> Iterator[str]:
    """Every member holds the same changes, all of them, and the same objects."""
    first = min(disks)
    for member in sorted(disks):
        one, other = disks[first], disks[member]
        if one.floor or other.floor:
            yield f"member {member} has no history below revision {max(one.floor, other.floor)}"
        differing = _differing(one.changes, other.changes)
        if differing:
            yield f"members {first} and {member} hold different changes: {differing}"
        elif (one.revision, one.checksum) != (other.revision, other.checksum):
            yield (
                f"members {first} and {member} ended at different (revision, checksum): "
                f"{one.revision, one.checksum} and {other.revision, other.checksum}"
            )


def _differing(one: Sequence[Change], other: Sequence[Change]) -> str:
    """The first change that two members do not share; "" = none."""
    for left, right in zip(one, other, strict=False):
        if left != right:
            return f"{left.key.name}@{left.revision} and {right.key.name}@{right.revision}"
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} of them"
    return ""
