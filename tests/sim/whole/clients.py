"""Clients that write, read and list: each does one thing after the other until it is told to end.

A client goes to the member that led last, to another when that one does not; an operation that
was lost is asked again there under the same id. What a client was told is recorded as it hears it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from holdfast.api.errors import ApiError
from holdfast.control.cache import Entry
from holdfast.control.store.commands import ABSENT, ANY, Commit, Compare, Key, Row, Write
from holdfast.control.store.engine import (
    ExpiredError,
    StoreError,
    UnknownOutcomeError,
)
from tests.sim.history import Kind, Operation, token
from tests.sim.whole.controller import RESOURCE as COPIES
from tests.sim.whole.member import Member
from tests.sim.whole.service import LostError, RefusedError, Service
from tests.sim.whole.stage import Stage

THINGS = "things"
KEYS = tuple(Key(THINGS, space, name) for space in ("a", "b") for name in "klm")
TIMEOUT_S = 1.5
TRIES_MAX = 8
PACE = 6.0
"""Operations a second, of all clients together, that a run is about."""
AHEAD = 8.0
"""So many operations ahead of the pace they think twice as long."""
HASTE = 0.25
"""They think no shorter than this share of the usual, however far behind."""


class Client:
    """One client. number: negative, its end of the network's links."""

    def __init__(
        self, stage: Stage, service: Service, members: Mapping[int, Member], number: int
    ) -> None:
        self._stage = stage
        self._service = service
        self._members = members
        self._number = number
        self._rng = stage.world.streams[f"client {number}"]
        self._target = 1
        self._known: dict[Key, int] = {}
        self.ending = False

    async def run(self) -> None:
        """Do one thing after the other."""
        while not self.ending:
            await asyncio.sleep(self._rng.expovariate(1 / self._think_s()))
            chance = self._rng.random()
            if chance < 0.42:
                await self.write(self._draw_writes())
            elif chance < 0.5:
                await self._race()
            elif chance < 0.7:
                await self._read(Kind.READ)
            elif chance < 0.78:
                await self._read(Kind.LIST)
            elif chance < 0.83:
                await self._read(Kind.STALE)
            elif chance < 0.86:
                await self._read(Kind.PAGE)
            elif chance < 0.95:
                await self._drop_copy()
            else:
                await self._compact()

    def _think_s(self) -> float:
        """How long to think, on average. A run that faults held up catches up; one that goes well
        does not cost more for it."""
        stage = self._stage
        ahead = stage.history.finished - PACE * stage.world.now
        return stage.plan.think_s * max(HASTE, 1 + ahead / AHEAD)

    def _draw_writes(self) -> list[Write]:
        rng = self._rng
        writes = []
        for key in rng.sample(KEYS, rng.choice((1, 1, 1, 2, 3))):
            expect = rng.choice((ANY, ANY, ABSENT, self._known.get(key, ABSENT)))
            value = None if rng.random() < 0.15 else b""
            writes.append(Write(key, value, expect))
        return writes

    async def _race(self) -> None:
        """Two writes at once that expect the same: one of them must be refused."""
        key = self._rng.choice(KEYS)
        writes = [Write(key, b"", self._known.get(key, ABSENT))]
        await asyncio.gather(self.write(writes), self.write(writes))

    async def write(self, writes: Sequence[Write]) -> bool:
        """Write until it is answered or given up; values are filled in. True: it was answered."""
        rng, history = self._rng, self._stage.history
        operation = history.begin(self._number, Kind.WRITE, self._stage.world.now)
        filled = [
            write if write.value is None
            else write._replace(value=token(operation.number, at) + write.value)
            for at, write in enumerate(writes)
        ]  # fmt: skip
        atomic, compares = rng.random() < 0.3, []
        if atomic and rng.random() < 0.5:
            key = rng.choice([key for key in KEYS if key not in {one.key for one in writes}])
            compares = [Compare(key, self._known.get(key, ABSENT))]
        commit = Commit(rng.randbytes(16), filled, compares, atomic)
        operation.commit = commit
        certain = True  # so far it certainly did not happen
        while operation.tries < TRIES_MAX and not self.ending:
            operation.tries += 1
            try:
                member = self._target
                result = await self._ask(lambda member: member.engine.commit(commit))
            except (UnknownOutcomeError, LostError):
                certain = False
                self._stage.counts["outcome unknown"] += 1
                await self._turn_elsewhere()
            except (RefusedError, ApiError, StoreError):
                await self._turn_elsewhere()
            else:
                operation.result, operation.member = result, member
                history.finish(operation, self._stage.world.now)
                self._learn(filled, result.outcomes)
                if not certain:
                    self._stage.counts["retry answered"] += 1
                return True
        operation.failed = certain
        self._stage.counts["write given up"] += 1
        return False

    def _learn(self, writes: Sequence[Write], outcomes: Sequence[object]) -> None:
        for write, outcome in zip(writes, outcomes, strict=True):
            revision, refusal, current = outcome
            self._known[write.key] = current if refusal else revision
            if refusal:
                self._stage.counts[f"refused as {refusal}"] += 1

    async def _ask(self, request: object) -> object:
        return await self._service.ask(self._number, self._target, request, TIMEOUT_S)

    async def _turn_elsewhere(self) -> None:
        self._target = self._rng.choice([*self._members])
        await asyncio.sleep(0.02 + self._rng.random() * 0.2)

    async def _read(self, kind: Kind) -> None:
        """One read at any member; it is tried a few times."""
        operation = self._stage.history.begin(self._number, kind, self._stage.world.now)
        operation.key = self._rng.choice(KEYS)
        operation.resource = self._rng.choice((THINGS, THINGS, COPIES))
        behind = self._rng.randrange(30)
        for _ in range(TRIES_MAX):
            if self.ending:
                return
            member = self._target = self._rng.choice([*self._members])
            operation.tries += 1
            try:
                rows, revision = await self._ask(lambda at: answer(at, operation, behind))
            except ExpiredError:
                self._stage.counts["page below the floor"] += 1
                return
            except (LostError, RefusedError, ApiError, StoreError):
                await self._turn_elsewhere()
                continue
            operation.rows, operation.revision, operation.member = rows, revision, member
            self._stage.history.finish(operation, self._stage.world.now)
            for row in rows:
                self._known[row.key] = row.revision
            self._stage.counts[f"{kind} answered"] += 1
            return

    async def _drop_copy(self) -> None:
        """Delete one of the controller's objects."""
        copies = [key for key in self._known if key.resource == COPIES]
        if copies:
            key = self._rng.choice(copies)
            await self.write([Write(key, None, ANY)])
            del self._known[key]

    async def _compact(self) -> None:
        """Raise the floor, where the leader is."""
        kept = self._stage.plan.history_kept
        floor = self._stage.truth.revision - kept
        if floor <= 0:
            return
        self._stage.history.floor = max(self._stage.history.floor, floor)
        try:
            await self._ask(lambda member: member.engine.compact(floor))
            self._stage.counts["floor raised"] += 1
        except (LostError, RefusedError, ApiError, StoreError):
            await self._turn_elsewhere()


async def answer(member: Member, operation: Operation, behind: int) -> tuple[list[Row], int]:
    """What a member says to a read, as its gRPC service would."""
    engine = member.engine
    assert engine and operation.key
    if operation.kind in (Kind.READ, Kind.LIST):
        await engine.barrier()
        if not member.leads:
            member.counts["read served by a follower"] += 1
    if operation.kind == Kind.PAGE:
        revision = max(1, engine.revision - behind)
        rows = await engine.page(operation.resource, "", revision, None, 1_000)
        return rows, revision
    cache = member.cache
    assert cache
    if operation.kind == Kind.LIST:
        return [_row(entry) for entry in cache.list(operation.resource)], cache.revision
    found = cache.get(*operation.key)
    return ([_row(found)] if found else []), cache.revision


def _row(entry: Entry) -> Row:
    return Row(entry.key, entry.data, entry.revision, entry.created)
