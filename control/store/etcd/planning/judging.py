"""Judging a commit before it is sent: the rules of `state`, without making anything.

The leader's memory is level with etcd when it judges and the transaction is made only if it still
is, so what is judged here holds when it is made. Revisions are not known yet: a change stands for
its place in the transaction (`values.own`). Pure module.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.control.store.commands import (
    ABSENT,
    ANY,
    Commit,
    Key,
    Outcome,
    Refusal,
    Result,
    Row,
    Write,
)
from holdfast.control.store.etcd.image import Image
from holdfast.control.store.etcd.stored.values import own
from holdfast.control.store.state import refused


class Planned(NamedTuple):
    """One change to make. value None: delete. created: 0 = by this change."""

    key: Key
    value: bytes | None
    created: int


def judge(
    image: Image, term: int, commit: Commit, before: int, first: int
) -> tuple[Result, list[Planned]]:
    """The result of a commit, and the changes it makes. It keeps its limits (`commands.flaw`), and
    no key is in it twice.

    before: the store's revision before it, or the stand-in for one. first: the place of its first
    change in the transaction.
    """
    outcomes, changes = _judge(image, term, commit, first)
    end = own(first + len(changes) - 1) if changes else before
    return Result(tuple(outcomes), end), changes


def _judge(
    image: Image, term: int, commit: Commit, first: int
) -> tuple[list[Outcome], list[Planned]]:
    if commit.term not in (0, term):
        return refused(commit, Refusal.TERM), []
    for compare in commit.compares:
        row = image.row(compare.key)
        revision = row.revision if row else 0
        if compare.expect not in (ANY, revision):
            return refused(commit, Refusal.COMPARE, revision), []
    rows = [image.row(write.key) for write in commit.writes]
    refusals = [refuse(*one) for one in zip(commit.writes, rows, strict=True)]
    if commit.atomic and any(refusals):
        return [one or Outcome(0, Refusal.NOT_DONE) for one in refusals], []
    outcomes: list[Outcome] = []
    changes: list[Planned] = []
    for write, row, refusal in zip(commit.writes, rows, refusals, strict=True):
        if refusal is None:
            outcomes.append(Outcome(own(first + len(changes))))
            changes.append(Planned(write.key, write.value, row.created if row else 0))
        else:
            outcomes.append(refusal)
    return outcomes, changes


def refuse(write: Write, row: Row | None) -> Outcome | None:
    """Why a write cannot happen on what is there; None = it can."""
    if row is None:
        missing = write.value is None or write.expect > 0
        return Outcome(0, Refusal.MISSING) if missing else None
    if write.expect in (ANY, row.revision):
        return None
    refusal = Refusal.EXISTS if write.expect == ABSENT else Refusal.STALE
    return Outcome(0, refusal, row.revision)
