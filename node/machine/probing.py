"""One probe of one container: when to ask next, and what the answers mean. Pure module.

Thresholds and delays are Kubernetes'. One thing is quicker: until a container was ready for the
first time, readiness is asked again after 0.1 s, 0.2 s, 0.4 s … up to its period, so a server
that needs a moment to listen is in its Service at once and not a period later.
"""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine.events import ProbeKind

_EAGER_FIRST_S = 0.1


class Probing:
    """The state of one probe. `ok` is its verdict, `next_at` when to ask (Unix seconds)."""

    __slots__ = (
        "_eager_s",
        "_failures",
        "_successes",
        "in_flight",
        "kind",
        "next_at",
        "ok",
        "period_s",
        "probe",
    )

    def __init__(
        self, kind: ProbeKind, probe: core.Probe, started_at: float, *, ok: bool | None = None
    ) -> None:
        """ok: what it was before the agent restarted; None = the container has just started."""
        self.kind = kind
        self.probe = probe
        self.period_s = float(probe.periodSeconds or 10)
        self.next_at = started_at + probe.initialDelaySeconds
        self.in_flight = False
        self.ok = kind is ProbeKind.LIVENESS if ok is None else ok
        self._successes = self._failures = 0
        eager = kind is ProbeKind.READINESS and not self.ok
        self._eager_s = _EAGER_FIRST_S if eager else self.period_s

    def due(self, now: float) -> bool:
        """Whether to ask now."""
        return not self.in_flight and now >= self.next_at

    def answered(self, ok: bool, now: float) -> bool:
        """Take an answer; returns whether a failure is worth telling the user."""
        self.in_flight = False
        eager = self._eager_s < self.period_s
        self.next_at = now + (self.period_s if ok else min(self._eager_s, self.period_s))
        if ok:
            self._eager_s = self.period_s
            self._failures = 0
            self._successes += 1
            if self._successes >= (self.probe.successThreshold or 1):
                self.ok = True
            return False
        self._eager_s *= 2
        self._successes = 0
        self._failures += 1
        if self._failures >= (self.probe.failureThreshold or 3):
            self.ok = False
        return not eager
