"""The state machine of a member: committed entries become changes, in memory, in order.

Own proposals are at hand as commands and are answered here; others' are decoded. Each commit's
changes go to the listeners before its answer, so whoever awaited it finds it in the cache. Long
entries let others run between commits. A member whose state differs from the leader's at the
same entry must end (`Check`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from holdfast.control.raft.messages import ConfState, Entry, decode_conf_change
from holdfast.control.store import records
from holdfast.control.store.behind import conf_text
from holdfast.control.store.commands import Change, Check, Commit, Compact, Result
from holdfast.control.store.engine import FatalStoreError, UnknownOutcomeError
from holdfast.control.store.groups import Waiting
from holdfast.control.store.replicated.opening import Opened

SLICE_S = 0.004
"""Others run after this long."""
SUMS_MAX = 4_096
"""Entries after which this member's checksum is remembered, to be compared with the leader's."""
SPENT = "this commit id is too old: what came of its commit is no longer known"

Answered = Callable[[int, int], Sequence[Waiting]]
"""Who waits here for the entry at an index, of a term: its commands; () = nobody."""


class StoreMachine:
    """A Machine on an open store. tell: called with each commit's changes; configured: when the
    group has changed."""

    def __init__(
        self, store: Opened, tell: Callable[[Sequence[Change]], None], waiting: Answered,
        configured: Callable[[], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._tell = tell
        self._waiting = waiting
        self._configured = configured
        self._sums: dict[int, tuple[int, int]] = {}  # index → revision, checksum; the newest last
        store.log.applied = store.behind.image.applied

    @property
    def applied(self) -> int:
        """See Machine."""
        return self._store.log.applied

    async def apply(self, entry: Entry) -> None:
        """See Machine."""
        group = self._waiting(entry.index, entry.term)
        if group:
            await self._apply_own(entry.term, group)
        elif entry.data:
            await self._apply_foreign(entry)
        self._whole(entry)

    def configure(self, entry: Entry, conf: ConfState) -> None:
        """See Machine. Whom the change adds or removes stands in its context, as a commit."""
        self._waiting(entry.index, entry.term)
        change = decode_conf_change(entry)
        if change is not None and change.context:
            for command in self._decode(entry.index, change.context):
                self._apply_command(entry.term, command)
        store = self._store
        store.log.conf = conf
        store.behind.conf = conf_text(conf)
        self._whole(entry)
        self._configured()

    def _whole(self, entry: Entry) -> None:
        store = self._store
        store.behind.whole(entry.index, entry.term, store.log.crc(entry.index))
        store.log.applied = entry.index
        position = store.state.position
        self._sums[entry.index] = (position.revision, position.checksum)
        if len(self._sums) > SUMS_MAX:
            del self._sums[next(iter(self._sums))]

    def check(self) -> Check:
        """The state after the newest entry applied whole, for the others to compare."""
        index = self.applied
        position = self._store.state.position
        revision, checksum = self._sums.get(index, (position.revision, position.checksum))
        return Check(index, revision, checksum)

    def _compare(self, check: Check) -> None:
        """Raises FatalStoreError when this member's state was another one."""
        own = self._sums.get(check.index)
        if own is not None and own != (check.revision, check.checksum):
            raise FatalStoreError(
                f"{self._store.disk.name}: after log entry {check.index} the objects differ from "
                "the leader's: remove this member and let it join anew"
            )

    async def _apply_own(self, term: int, group: Sequence[Waiting]) -> None:
        now = asyncio.get_running_loop().time
        slice_end = now() + SLICE_S
        try:
            for one in group:
                one.answer(self._apply_command(term, one.command) or UnknownOutcomeError(SPENT))
                if now() > slice_end:
                    await asyncio.sleep(0)
                    slice_end = now() + SLICE_S
        except BaseException as error:
            lose(group, error)
            raise

    async def _apply_foreign(self, entry: Entry) -> None:
        now = asyncio.get_running_loop().time
        slice_end = now() + SLICE_S
        for command in self._decode(entry.index, entry.data):
            self._apply_command(entry.term, command)
            if now() > slice_end:
                await asyncio.sleep(0)
                slice_end = now() + SLICE_S

    def _decode(self, index: int, data: bytes) -> list[records.Command]:
        try:
            return records.decode(data)
        except records.RecordError as error:
            raise FatalStoreError(f"{self._store.disk.name}: log entry {index} {error}") from error

    def _apply_command(self, term: int, command: records.Command) -> Result | None:
        """None: what came of it is no longer known, or it was another commit with the same id."""
        store = self._store
        if isinstance(command, Compact):
            store.state.compact(command.floor)
            return Result((), store.state.position.revision)
        if isinstance(command, Check):
            self._compare(command)
            return Result((), store.state.position.revision)
        assert isinstance(command, Commit)
        result, changes, remembered = store.state.apply(term, command)
        store.behind.note(changes, remembered)
        if changes:
            self._tell(changes)
        if result is not None and len(result.outcomes) != len(command.writes):
            return None
        return result


def lose(group: Sequence[Waiting], why: BaseException) -> None:
    """Nobody knows what comes of these commands."""
    for one in group:
        one.answer(UnknownOutcomeError(f"the commit may or may not have happened: {why}"))
