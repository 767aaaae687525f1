"""The members of the group: who they are, where they are, and how the group changes.

A member's names and addresses are a row of `~members`, replicated like any other; who votes is the
log's configuration. Each change of it is one entry that carries the row's change too. The row of
a removed member stays as a tombstone: ids are never used again, and its calls are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import orjson

from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.messages import ConfChange, ConfChangeType, ConfState
from holdfast.control.raft.shell.driver import Driver
from holdfast.control.store import records
from holdfast.control.store.commands import ABSENT, ANY, Commit, Key, Write
from holdfast.control.store.engine import NotLeaderError, StoreError, UnknownOutcomeError
from holdfast.control.store.replicated.opening import Opened

RESOURCE = "~members"
CAUGHT_UP_SHARE = 0.9
"""A learner may vote when it has this share of what is committed."""
CHANGE_S = 10.0
TRANSFER_S = 3.0
HAND_OVER_S = 1.0


class MemberRole(StrEnum):
    """What a member is in the configuration."""

    VOTER = "voter"
    LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class Member:
    """A control node. peer: where the others reach it; endpoints: of its API (host:port)."""

    id: int
    name: str
    peer: str
    endpoints: tuple[str, ...] = ()
    removed: bool = False

    @property
    def key(self) -> Key:
        """Where its row is."""
        return key_of(self.id)

    def encode(self) -> bytes:
        """The row's value."""
        tree = {"name": self.name, "peer": self.peer, "endpoints": self.endpoints}
        return orjson.dumps({**tree, "removed": True} if self.removed else tree)

    @staticmethod
    def decode(key: Key, value: bytes) -> Member:
        """What `encode` wrote."""
        tree = orjson.loads(value)
        endpoints = tuple(tree["endpoints"])
        removed = tree.get("removed", False)
        return Member(int(key.name, 16), tree["name"], tree["peer"], endpoints, removed)


@dataclass(frozen=True, slots=True)
class Standing:
    """A member as its leader sees it. matched: the share of the committed log that it has, -1
    where it is not known (on others than the leader)."""

    member: Member
    role: MemberRole
    leads: bool
    matched: float


@lru_cache(64)
def key_of(member: int) -> Key:
    """Where a member's row is."""
    return Key(RESOURCE, "", f"{member:016x}")


class Membership:
    """The group of one open member."""

    def __init__(self, store: Opened, driver: Driver, changed: Callable[[], None]) -> None:
        """changed: told when this member hears from others that it is out."""
        self._store = store
        self._driver = driver
        self._changed = changed
        self._expelled = False
        self._seen: dict[int, tuple[bytes, Member]] = {}  # by id: a row's value, decoded
        self._ids: tuple[ConfState | None, tuple[int, ...]] = (None, ())  # of a configuration

    def known(self, member: int) -> Member:
        """A member by its id; one without a row has an id only."""
        row = self._store.state.row(key_of(member))
        if row is None:
            return Member(member, f"{member:x}", "")
        value, known = self._seen.get(member, (b"", None))
        if known is None or value is not row.value:
            known = Member.decode(row.key, row.value)
            self._seen[member] = row.value, known
        return known

    def ids(self) -> tuple[int, ...]:
        """Everybody in the configuration, ascending."""
        conf = self._store.log.conf
        if conf is not self._ids[0]:  # asked at every write
            both = (*conf.voters, *conf.voters_outgoing, *conf.learners, *conf.learners_next)
            self._ids = conf, tuple(sorted(dict.fromkeys(both)))
        return self._ids[1]

    def expel(self) -> None:
        """This member was removed, whatever its own log says: the others say so."""
        if not self._expelled:
            self._expelled = True
            self._changed()

    def removed(self, member: int) -> bool:
        """Whether this id was a member's and is no more."""
        row = self._store.state.row(key_of(member))  # asked at every message of a peer
        return row is not None and self.known(member).removed

    def standings(self) -> list[Standing]:
        """Everybody, by id; without this member when it is known to be out."""
        conf, view = self._store.log.conf, self._driver.view
        voters = (*conf.voters, *conf.voters_outgoing)
        return [
            Standing(
                self.known(member),
                MemberRole.VOTER if member in voters else MemberRole.LEARNER,
                member == view.leader,
                self._matched(member),
            )
            for member in self.ids()
            if not (self._expelled and member == self._store.member)
        ]

    def _matched(self, member: int) -> float:
        status = self._driver.status()
        progress = status.progress.get(member)
        if progress is None:
            return -1.0
        return min(1.0, progress.match / max(1, status.hard_state.commit))

    async def add(self, member: Member) -> None:
        """Let a member in, as a learner. Raises StoreError, NotLeaderError."""
        if member.id in self.ids() or self.known(member.id).removed:
            raise StoreError(f"member {member.id:x} is or was in the group: ids are not used again")
        for standing in self.standings():
            other = standing.member
            if other.name == member.name or (member.peer and other.peer == member.peer):
                raise StoreError(
                    f'member "{other.name}" at {other.peer} is in the group: remove it first, or '
                    "choose another name and address"
                )
        write = Write(member.key, member.encode(), ABSENT)
        await self._change(ConfChangeType.ADD_LEARNER_NODE, member.id, write)
        if member.id not in self._store.log.conf.learners:
            raise _busy()

    async def promote(self, member: int) -> None:
        """Let a learner vote. Raises StoreError: it is none, or has not caught up."""
        name = self._require(member)
        if member not in self._store.log.conf.learners:
            raise StoreError(f'member "{name}" votes already')
        matched = self._matched(member)
        if matched < CAUGHT_UP_SHARE:
            raise StoreError(
                f'member "{name}" has {max(0, int(matched * 100))} % of the log: '
                f"it may vote from {int(CAUGHT_UP_SHARE * 100)} % on; try again later"
            )
        await self._change(ConfChangeType.ADD_NODE, member, None)
        if member not in self._store.log.conf.voters:
            raise _busy()

    async def remove(self, member: int) -> None:
        """Take a member out for good; the leader too. Raises StoreError."""
        name = self._require(member)
        conf = self._store.log.conf
        if conf.voters == (member,):
            raise StoreError(f'member "{name}" is the only one that votes: it cannot be removed')
        gone = replace(self.known(member), removed=True)
        await self._change(ConfChangeType.REMOVE_NODE, member, Write(gone.key, gone.encode(), ANY))
        if member in self.ids():
            raise _busy()

    async def transfer(self, member: int) -> None:
        """Hand leadership to a voter. Raises StoreError: it did not take over in time."""
        name = self._require(member)
        if member not in self._store.log.conf.voters:
            raise StoreError(f'member "{name}" does not vote: it cannot lead')
        if not self._driver.view.leads:
            raise NotLeaderError("another control node leads")
        if self._driver.view.leader == member:
            return
        self._driver.transfer(member)
        try:
            async with asyncio.timeout(TRANSFER_S):
                await self._driver.until(lambda view: view.leader == member)
        except TimeoutError:
            raise StoreError(f'member "{name}" did not take over in {TRANSFER_S:g} s') from None

    async def hand_over(self) -> None:
        """Before a stop: let the voter that has most of the log lead, if this member does. Nothing
        is promised; the others find a leader by themselves, later."""
        if not self._driver.view.leads:
            return
        voters = [one for one in self._store.log.conf.voters if one != self._store.member]
        if voters:
            self._driver.transfer(max(voters, key=self._matched))
            with suppress(TimeoutError):
                async with asyncio.timeout(HAND_OVER_S):
                    await self._driver.until(lambda view: not view.leads)

    def _require(self, member: int) -> str:
        """The name of somebody in the group. Raises StoreError."""
        if member not in self.ids():
            raise StoreError(f"there is no member {member:x} in the group")
        return self.known(member).name

    async def _change(self, kind: ConfChangeType, member: int, write: Write | None) -> None:
        """Have a change applied here. Whether it is the one proposed must be looked at then."""
        context = records.encode([Commit(b"", (write,))]) if write else b""
        try:
            index, _ = self._driver.propose_change(ConfChange(kind, member, context))
        except ProposalDroppedError:
            raise NotLeaderError("this control node does not lead: try again") from None
        try:
            async with asyncio.timeout(CHANGE_S):
                await self._driver.reach(index)
        except TimeoutError:
            raise UnknownOutcomeError(
                f"the change of the group was not confirmed in {CHANGE_S:g} s: it may still happen"
            ) from None


def _busy() -> StoreError:
    return StoreError("another change of the group is under way: try again")


def alone(conf: ConfState, member: int) -> bool:
    """Whether a member decides by itself."""
    return conf.voters == (member,) and not conf.voters_outgoing
