"""Our revisions from etcd's and back (the package says why they differ). Pure module."""

from __future__ import annotations

from dataclasses import dataclass

CHANGES_MAX = 128
"""Revisions of ours in one of etcd's."""
GAP = 1 << 32
"""How far above its old revisions a moved cluster begins, so that an old resume point is refused
and never answered with other events."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The mapping of one store. offset: a multiple of CHANGES_MAX."""

    offset: int = 0

    def of(self, main: int, sub: int = 0) -> int:
        """The revision of the change number `sub` in etcd's revision `main`."""
        return main * CHANGES_MAX + sub + self.offset

    def main(self, revision: int) -> int:
        """etcd's revision that holds one of ours; below 0 for one older than any."""
        return (revision - self.offset) // CHANGES_MAX

    def sub(self, revision: int) -> int:
        """The place of a revision in its transaction."""
        return (revision - self.offset) % CHANGES_MAX


def after(revision: int, main: int) -> Revisions:
    """The mapping for a store made at etcd's revision `main` or later, all of whose revisions are
    more than GAP above one given (0 = a new cluster, which needs no gap)."""
    if not revision:
        return Revisions()
    missing = revision + GAP - main * CHANGES_MAX
    return Revisions(max(0, -(-missing // CHANGES_MAX)) * CHANGES_MAX)
