"""What memory has and the image has not: the image's position, the rows in between.

Memory is the state machine; SQLite is its write-behind image. An engine notes here what it
applied (`note`, then `whole` at the end of each log entry), takes what its next transaction
writes (`unsaved`), and says when that is durable (`saved`). Only whole entries go into the
image, so a restart replays from `applied` + 1. Pure module.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from holdfast.control.raft.messages import ConfState
from holdfast.control.store.commands import Change
from holdfast.control.store.history import Tail
from holdfast.control.store.retries import Remembered
from holdfast.control.store.state import State


class Meta(NamedTuple):
    """Where an image stands: it holds all entries up to `applied`, whose checksum is log_crc.

    member: whose image this is, its id in the group. conf: the group's configuration at
    `applied`, as `conf_text` writes it.
    """

    cluster_id: str
    member: int
    conf: str = ""
    term: int = 0
    applied: int = 0
    log_crc: int = 0
    revision: int = 0
    floor: int = 0
    checksum: int = 0
    last_retry: int = 0

    @property
    def crc(self) -> int:
        """Detects flipped bytes in the meta row itself."""
        return crc32(repr(tuple(self)).encode())

    @property
    def conf_state(self) -> ConfState:
        """The configuration at `applied`. Raises ValueError when `conf` is damaged."""
        return parse_conf(self.conf)


def conf_text(conf: ConfState) -> str:
    """A configuration as it is stored."""
    return json.dumps(conf)


def parse_conf(text: str) -> ConfState:
    """What `conf_text` wrote; "" = nobody. Raises ValueError."""
    if not text:
        return ConfState()
    *ids, auto_leave = json.loads(text)
    voters, learners, outgoing, following = (tuple(map(int, one)) for one in ids)
    return ConfState(voters, learners, outgoing, following, bool(auto_leave))


@dataclass(frozen=True, slots=True)
class Behind:
    """What was applied and is not in the image: rows up to a whole entry, and where it stood.

    pruned: the first positions of the table of ids whose result is kept, in the image and now.
    """

    meta: Meta
    changes: Sequence[Change]
    retries: Sequence[Remembered]
    pruned: tuple[int, int]
    spent_from: int


class WriteBehind:
    """The rows between the image and the state. `tail` also answers reads of history.

    conf: the configuration as of the newest applied change; set before the `whole` of its entry.
    """

    def __init__(self, meta: Meta, state: State) -> None:
        """meta: where the image stands; state: as loaded from it."""
        self.image = meta
        self.tail = Tail(meta.revision)
        self.conf = meta.conf
        self._state = state
        self._remembered: list[Remembered] = []
        self._saved_results_from = state.retries.results_from
        self._mark = (meta, self._saved_results_from, state.retries.spent_from)

    @property
    def applied(self) -> int:
        """The index of the newest entry applied whole."""
        return self._mark[0].applied

    def note(self, changes: Sequence[Change], remembered: Remembered | None) -> None:
        """One command was applied."""
        self.tail.add(changes)
        if remembered:
            self._remembered.append(remembered)

    def whole(self, index: int, term: int, crc: int) -> None:
        """All commands of this entry are applied: the image may hold them from now on.

        crc: `records.chain` up to this entry.
        """
        position, retries, image = self._state.position, self._state.retries, self.image
        meta = Meta(
            image.cluster_id, image.member, self.conf, term, index, crc, position.revision,
            position.floor, position.checksum, retries.last,
        )  # fmt: skip
        self._mark = (meta, retries.results_from, retries.spent_from)

    def unsaved(self) -> Behind | None:
        """What the image lacks, None when it is level."""
        meta, results_from, spent_from = self._mark
        if meta.applied == self.image.applied:
            return None
        remembered = [one for one in self._remembered if one.position <= meta.last_retry]
        pruned = (self._saved_results_from, results_from)
        return Behind(meta, self.tail.upto(meta.revision), remembered, pruned, spent_from)

    def saved(self, behind: Behind) -> None:
        """This is durable in the image."""
        self.image = behind.meta
        self.tail.saved(behind.meta.revision)
        del self._remembered[: len(behind.retries)]
        self._saved_results_from = behind.pruned[1]
