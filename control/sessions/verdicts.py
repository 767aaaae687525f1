"""Which nodes are lost: beats in, judgements out.

A node that has been silent for its limit (2 s; longer where the dictated interval is) is lost,
until it is heard again. One that closed its session is judged otherwise: a machine that is dead or
cut off closes nothing, so this one's kernel is there and only its agent went. Its pods run on, and
it is absent (no new pods) until AGENT_GONE_S are over; then it is lost too.

When more than 30 % of the nodes (at least three) are quiet at the same time, it is more likely our
own link that failed: judgement is suspended until fewer are, for at most SUSPENDED_S_MAX, and
without a bound while nobody at all is heard. After a suspension, and when our own loop stood still,
everybody has the time for another beat.

A beat costs two dictionary writes. One heap of deadlines serves all nodes: an entry that comes up
is judged by what was heard meanwhile and put back. Pure module.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

SILENT_S = 2.0
INTERVAL_S_MIN = 0.5
BEATS_PER_S_MAX = 1000
INTERVALS_SILENT = 2.5
INTERVALS_QUIET = 1.5
"""A node is quiet when this many intervals passed without a beat: by then a beat is missing."""
QUIET_SHARE_MAX = 0.3
QUIET_MIN = 3
SUSPENDED_S_MAX = 30.0
AGENT_GONE_S = 30.0
"""Time for an agent that ended on a live machine to come back and adopt its pods."""
STALL_S = 1.0
GRACE_S = 10.0
"""Time for a node that had no session yet: it has to find us first."""


def interval_s(nodes: int) -> float:
    """The interval to dictate to so many nodes: at most 1,000 beats a second in all.

    It doubles, so that it changes seldom: every agent must be told.
    """
    interval = INTERVAL_S_MIN
    while nodes > interval * BEATS_PER_S_MAX:
        interval *= 2
    return interval


def limit_s(told_interval_s: float) -> float:
    """How long a node that was told this interval may be silent."""
    return max(SILENT_S, told_interval_s * INTERVALS_SILENT)


class Standing(StrEnum):
    """What is thought of a node."""

    PRESENT = "present"
    ABSENT = "absent"  # its agent is gone, its machine is not: pods run on
    LOST = "lost"


class Judgement(NamedTuple):
    """What changed since the last one: nodes in the order of their deadlines.

    suspended: many are quiet and nobody is judged.
    """

    lost: tuple[str, ...]
    absent: tuple[str, ...]
    suspended: bool


@dataclass(slots=True)
class _Node:
    """due: the time of this node's one valid entry in the heap."""

    heard_at: float
    limit_s: float
    quiet_s: float
    due: float = 0.0
    standing: Standing = Standing.PRESENT
    closed: bool = False


@dataclass(slots=True)
class Verdicts:
    """Every node known, and when it was last heard. All times are of one monotonic clock.

    _held: the nodes over their limit while judgement is suspended, in the order of deadlines.
    """

    _nodes: dict[str, _Node] = field(default_factory=dict)
    _deadlines: list[tuple[float, str]] = field(default_factory=list)
    _held: list[str] = field(default_factory=list)
    _judged_at: float | None = None
    _suspended_since: float | None = None

    def expect(self, name: str, now: float) -> None:
        """A Node exists: it is lost if it is not heard within GRACE_S."""
        if name not in self._nodes:
            node = self._nodes[name] = _Node(now, GRACE_S, GRACE_S / 2)
            self._queue(name, node, now + GRACE_S)

    def forget(self, name: str) -> None:
        """The Node was deleted; its entry in the heap goes when it comes up."""
        self._nodes.pop(name, None)

    def heard(self, name: str, told_interval_s: float, now: float) -> bool:
        """A beat, or a session that opened. Returns whether the node was away: it is back."""
        node = self._nodes.get(name)
        if node is None:
            self.expect(name, now)
            node = self._nodes[name]
        node.heard_at = now
        node.limit_s = limit_s(told_interval_s)
        node.quiet_s = told_interval_s * INTERVALS_QUIET
        back, node.standing = node.standing is not Standing.PRESENT, Standing.PRESENT
        node.closed = False
        if back or node.due > now + node.limit_s:
            self._queue(name, node, now + node.limit_s)
        return back

    def closed(self, name: str) -> None:
        """The node's side closed its session."""
        node = self._nodes.get(name)
        if node is not None:
            node.closed = True

    def standing(self, name: str) -> Standing:
        """What was judged of the node, as long as it was not heard since."""
        node = self._nodes.get(name)
        return Standing.PRESENT if node is None else node.standing

    def deadline(self) -> float | None:
        """When the next node is over its limit at the earliest; None = never, as things stand."""
        return self._deadlines[0][0] if self._deadlines else None

    def judge(self, now: float) -> Judgement:
        """Judge whoever's deadline has come. Called at each deadline, and more often than each
        STALL_S, or it takes the caller's own pause for silence."""
        if self._judged_at is not None and now - self._judged_at > STALL_S:
            self._excuse(now)
        self._judged_at = now
        silent, absent = self._silent(now)
        suspended_before = self._suspended_since is not None
        if self._suspend(silent, now):
            self._held = silent
            return Judgement((), absent, True)
        self._held = []
        if suspended_before and self._suspended_since is None:
            # The link is back: the next beats of those not heard yet are on their way.
            self._excuse(now)
            for name in silent:
                node = self._nodes[name]
                self._queue(name, node, node.heard_at + node.limit_s)
            silent = []
        for name in silent:
            self._nodes[name].standing = Standing.LOST
        return Judgement(tuple(silent), absent, False)

    def _queue(self, name: str, node: _Node, due: float) -> None:
        node.due = due
        heapq.heappush(self._deadlines, (due, name))

    def _silent(self, now: float) -> tuple[list[str], tuple[str, ...]]:
        """Take the nodes off the heap that are over their limit; put back those heard since, and
        those whose agent may come back: the second list has the ones that became absent."""
        come = self._held
        while self._deadlines and self._deadlines[0][0] <= now:
            due, name = heapq.heappop(self._deadlines)
            node = self._nodes.get(name)
            if node is not None and node.due == due and node.standing is not Standing.LOST:
                come.append(name)
        silent, absent = [], []
        for name in come:
            node = self._nodes.get(name)
            if node is None:
                continue
            limit_at = node.heard_at + node.limit_s
            gone_at = node.heard_at + max(node.limit_s, AGENT_GONE_S)
            if limit_at > now:
                self._queue(name, node, limit_at)
            elif node.closed and gone_at > now:
                node.standing = Standing.ABSENT
                absent.append(name)
                self._queue(name, node, gone_at)
            else:
                silent.append(name)
        return silent, tuple(absent)

    def _suspend(self, silent: list[str], now: float) -> bool:
        judged = (
            [n for n in self._nodes.values() if n.standing is not Standing.LOST] if silent else []
        )
        quiet = sum(now - node.heard_at > node.quiet_s for node in judged)
        if quiet < QUIET_MIN or quiet <= QUIET_SHARE_MAX * len(judged):
            self._suspended_since = None
            return False
        if self._suspended_since is None:
            self._suspended_since = now
        nobody_heard = quiet == len(judged)
        return nobody_heard or now - self._suspended_since < SUSPENDED_S_MAX

    def _excuse(self, now: float) -> None:
        """Our own loop or link stood still: what was sent meanwhile may wait to be read."""
        for node in self._nodes.values():
            node.heard_at = max(node.heard_at, now - node.quiet_s)
