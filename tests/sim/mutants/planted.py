"""The planted bugs: what is changed, and which checker must find it.

Each is a handful of replacements in a copy of the source. The text to be replaced must be there
exactly once, so that a bug that can no longer be planted is noticed at once.
"""

from __future__ import annotations

from typing import NamedTuple

SEEDS = 200
"""Seeds within which each must be found; the unchanged code passes all of them."""


class Edit(NamedTuple):
    """One replacement. file: relative to the root."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """One planted bug. checker: any of these letters. tier: "core" or "whole"."""

    number: int
    what: str
    checker: str
    tier: str
    edits: tuple[Edit, ...]


STATE = "control/raft/core/state.py"
LOG = "control/raft/log/log.py"

MUTANTS = (
    Mutant(
        1, "a vote is sent before it is durable", "L", "core",
        (
            Edit(
                STATE,
                "        if kind in _AFTER_APPEND_TYPES:\n",
                "        vote = kind is MessageType.VOTE_RESP and message.to != self.id\n"
                "        if kind in _AFTER_APPEND_TYPES and not vote:\n",
            ),
        ),
    ),
    Mutant(
        2, "an append is acknowledged before it is synced", "A", "core",
        (
            Edit(
                STATE,
                "        if kind in _AFTER_APPEND_TYPES:\n",
                "        early = kind is MessageType.APP_RESP and message.to != self.id\n"
                "        if kind in _AFTER_APPEND_TYPES and not early:\n",
            ),
        ),
    ),
    Mutant(
        3, "an older term's entry is committed by counting", "AS", "core",
        (
            Edit(
                LOG,
                "        if term and index > self.committed and self.term(index) == term:\n",
                "        if term and index > self.committed:\n",
            ),
        ),
    ),
    Mutant(
        4, "a read index is given without a quorum's word", "R", "core",
        (
            Edit(
                "control/raft/core/reading.py",
                "    elif state.tracker.is_singleton():\n",
                "    elif state.tracker:\n",
            ),
        ),
    ),
    Mutant(
        6, "the old half of a joint configuration is not asked", "LA", "core",
        (
            Edit(
                "control/raft/tracker.py",
                "        return self.config.voters.committed_index(self._acked)\n",
                "        return self.config.voters.incoming.committed_index(self._acked)\n",
            ),
        ),
    ),
    Mutant(
        8, "an append leaves the stale tail behind it", "S", "core",
        (
            Edit(
                "control/raft/storage.py",
                "        self._entries[position:] = entries\n",
                "        self._entries[position : position + len(entries)] = entries\n",
            ),
        ),
    ),
    Mutant(
        9, "a late append cuts the log off below the commit", "S", "core",
        (
            Edit(
                LOG,
                "        conflict = self._first_new(entries)\n",
                "        conflict = entries[0].index if entries else None\n",
            ),
            Edit(
                LOG,
                "            if conflict <= self.committed:\n",
                "            if conflict < 0:\n",
            ),
            Edit(
                LOG,
                "            if entries[0].index <= self.committed:\n",
                "            if entries[0].index < 0:\n",
            ),
        ),
    ),
    Mutant(
        10, "entries are marked stable without a look at their term", "S", "core",
        (
            Edit(
                "control/raft/log/unstable.py",
                "        if index < self.offset or self.term(index) != term:\n",
                "        if index < self.offset or self.term(index) is None:\n",
            ),
        ),
    ),
    Mutant(
        15, "a decision of an old term takes effect", "F", "core",
        (
            Edit(
                "control/store/state.py",
                "        if commit.term not in (0, term):\n",
                "        if commit.term < 0:\n",
            ),
        ),
    ),
)  # fmt: skip
