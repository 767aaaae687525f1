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
ENGINE = "control/store/raft_engine.py"
NO_CHECKSUM = Edit(
    "control/store/replicated/opening.py",
    "    if state.position.checksum != meta.checksum:\n",
    "    if state.position.checksum < 0:\n",
)

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
        6, "a learner's acknowledgement counts", "LA", "core",
        (
            Edit(
                "control/raft/tracker.py",
                "        return self.config.voters.committed_index(self._acked)\n",
                "        counted = (*self.config.voters.incoming, *self.config.learners)\n"
                "        return MajorityConfig(counted).committed_index(self._acked)\n",
            ),
        ),
    ),
    Mutant(
        7,
        "a snapshot brings no configuration to who has one already",
        "L",
        "core",
        (
            Edit(
                "control/raft/core/acceptance.py",
                "    restore_configuration(state, snapshot.conf_state)\n",
                "    if not state.tracker.progress:\n"
                "        restore_configuration(state, snapshot.conf_state)\n",
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
        10, "entries are marked stable without a look at any term", "S", "core",
        (
            Edit(
                "control/raft/log/unstable.py",
                "        if index < self.offset or self.term(index) != term:\n",
                "        if index < self.offset or self.term(index) is None:\n",
            ),
            Edit(
                "control/raft/core/raft.py",
                " MessageType.STORAGE_APPEND_RESP and message.snapshot is not None:\n",
                " MessageType.STORAGE_APPEND_RESP:\n",
            ),
            Edit(
                "control/raft/core/raft.py",
                "            snapshot_applied(self, message.snapshot)\n",
                "            _on_appended(self, message)\n",
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
    Mutant(
        5, "a read is served before the cache has reached its index", "R", "whole",
        (
            Edit(
                ENGINE,
                "                await driver.reach(await driver.read_index())\n",
                "                await driver.read_index()\n",
            ),
        ),
    ),
    Mutant(
        11, "where the image stands is written in another transaction than its rows", "S", "whole",
        (
            Edit(
                "control/store/replicated/writer.py",
                "        try:\n            await store.writer.transact(log_rows.save, saving)\n",
                "        try:\n"
                "            if behind:\n"
                "                from holdfast.control.store import image\n"
                "                await store.writer.transact(image.save_meta, behind.meta)\n"
                "            await store.writer.transact(log_rows.save, saving)\n",
            ),
            NO_CHECKSUM,
        ),
    ),
    Mutant(
        12, "the durable commit lies below what the image has applied", "P", "whole",
        (
            Edit(
                "control/store/replicated/writer.py",
                "        return state._replace(commit=max(state.commit, applied))\n",
                "        return state._replace(commit=self._hard_state.commit)\n",
            ),
        ),
    ),
    Mutant(
        13, "a compare is judged when it is proposed", "R", "whole",
        (
            Edit(
                ENGINE,
                "        running = self._leading()\n"
                "        return join(await add_all(running.proposals.add, split(commit)))\n",
                "        running = self._leading()\n"
                "        there = [self.row(one.key) for one in commit.writes]\n"
                "        writes = [\n"
                "            one._replace(expect=-1) if row and row.revision == one.expect"
                " else one\n"
                "            for one, row in zip(commit.writes, there, strict=True)\n"
                "        ]\n"
                "        fields = commit.compares, commit.atomic, commit.term\n"
                "        commit = Commit(commit.id, writes, *fields)\n"
                "        return join(await add_all(running.proposals.add, split(commit)))\n",
            ),
        ),
    ),
    Mutant(
        14, "the table of commit ids is left out of the snapshot", "O", "whole",
        (
            Edit(
                "control/store/replicated/sending.py",
                "        for read in (_changes, _retries):\n",
                "        for read in (_changes,):\n",
            ),
        ),
    ),
    Mutant(
        16, "rows of the old image are written after a snapshot took its place", "S", "whole",
        (
            Edit(
                "control/store/replicated/receiving.py",
                "        store.behind = WriteBehind(staged.meta, staged.state)\n",
                "",
            ),
            NO_CHECKSUM,
        ),
    ),
    Mutant(
        17, "a resumed watch begins one too late", "W", "whole",
        (
            Edit(
                "control/cache/ring.py",
                "            if record.revision <= after:\n",
                "            if record.revision <= after + 1:\n",
            ),
        ),
    ),
    Mutant(
        18, "a bookmark overtakes events that wait", "W", "whole",
        (
            Edit(
                "control/cache/watcher.py",
                "            if not woken and not self._closed and self.bookmark_due():\n"
                "                return Batch((bookmark(self._cursor),), self._cursor)\n",
                "            if not self._closed and self.bookmark_due():\n"
                "                newest = self._hub.ring.revision\n"
                "                return Batch((bookmark(newest),), newest)\n",
            ),
        ),
    ),
    Mutant(
        19, "a watch that is ahead of its member begins now", "W", "whole",
        (
            Edit(
                "control/cache/hub.py",
                "after or self.ring.revision, initial",
                "min(after, self.ring.revision) or self.ring.revision, initial",
            ),
        ),
    ),
    Mutant(
        20, "the log is compacted under a snapshot on its way", "P", "whole",
        (
            Edit(
                "control/store/replicated/writer.py",
                "        wanted = max(min(applied - keep.entries, needs.peers), "
                "applied - keep.most)\n",
                "        wanted = applied\n",
            ),
        ),
    ),
)  # fmt: skip
