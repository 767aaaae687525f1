"""Clients that write, read, list and page: each one thing after the other, recorded as told.

A write carries an id of its own; when its outcome is not known it is asked again under the same
id, at another control node as often as not. A batch is one operation a write, an atomic one is
one operation.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from holdfast.api.client import Write as ApiWrite
from holdfast.api.client import WriteVerb, decoding
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import resources_pb2
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
from tests.integration.histories.clients.asking import (
    SERVICE,
    Direct,
    Follower,
    Members,
    Way,
    settles,
)
from tests.integration.histories.ledger import FIELD, KEYS, RESOURCE, UNTOLD
from tests.sim.history import History, Kind, Operation, token

TRIES_MAX = 60
TRY_FOR_S = 20.0
"""An operation is given up after so many tries or so long."""
PAUSE_S = 0.4
THINK_S = 0.15
PAGE_OBJECTS = 2


class Deed(StrEnum):
    """What a wish does."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Wish:
    """A write wanted. expect: UPDATE and DELETE, the revision it must have; 0 = any."""

    deed: Deed
    key: Key
    expect: int = 0


@dataclass(slots=True)
class Desk:
    """What the clients of a run share. now: seconds on the clock of all processes."""

    history: History
    members: Members
    counts: Counter[str]
    now: Callable[[], float]


class RecordedClient:
    """One client, until `ending`."""

    def __init__(self, desk: Desk, follower: Follower, number: int, rng: random.Random) -> None:
        self._desk = desk
        self._follower = follower
        self._number = number
        self._rng = rng
        self._known: dict[Key, int] = {}  # revisions it saw; 0 = saw it absent
        self.ending = False

    def saw(self, key: Key) -> bool:
        """Whether the key was there when it looked last."""
        return bool(self._known.get(key))

    async def run(self) -> None:
        """Do one thing after the other."""
        while not self.ending:
            await asyncio.sleep(self._rng.expovariate(1 / THINK_S))
            chance = self._rng.random()
            if chance < 0.55:
                await self.write(self._draw(), atomic=self._rng.random() < 0.35)
            elif chance < 0.75:
                await self.read(Kind.READ)
            elif chance < 0.85:
                await self.list(Kind.LIST)
            elif chance < 0.95:
                await self.read(Kind.STALE)
            else:
                await self.list(Kind.PAGE)

    def _draw(self) -> list[Wish]:
        """What it writes next: mostly what can be, by what it knows."""
        rng, wishes = self._rng, []
        for key in rng.sample(KEYS, rng.choice((1, 1, 1, 2, 3))):
            known = self._known.get(key, 0)
            likely = Deed.UPDATE if known else Deed.CREATE
            deed = rng.choice((likely, likely, likely, likely, Deed.DELETE, Deed.CREATE))
            pinned = deed != Deed.CREATE and rng.random() < 0.6
            wishes.append(Wish(deed, key, known if pinned else 0))
        return wishes

    async def write(self, wishes: Sequence[Wish], *, atomic: bool = False) -> bool:
        """Write until it is answered or given up. True: it was answered."""
        operations = self._begun(wishes, atomic=atomic)
        request = self._request(wishes, operations, atomic=atomic)
        reply = await self._pursue(operations, "Batch", request)
        if reply is None:
            return False
        outcomes = decoding.outcomes(reply)
        if atomic:
            self._answered(operations[0], wishes, outcomes)
        else:
            for operation, wish, outcome in zip(operations, wishes, outcomes, strict=True):
                self._answered(operation, [wish], [outcome])
        return True

    def _begun(self, wishes: Sequence[Wish], *, atomic: bool) -> list[Operation]:
        groups = [wishes] if atomic else [[wish] for wish in wishes]
        commit_id = self._rng.randbytes(16)
        operations = []
        for group in groups:
            operation = self._desk.history.begin(self._number, Kind.WRITE, self._desk.now())
            writes = [
                Write(
                    wish.key,
                    None if wish.deed == Deed.DELETE else token(operation.number, at),
                    ABSENT if wish.deed == Deed.CREATE else wish.expect or ANY,
                )
                for at, wish in enumerate(group)
            ]
            operation.commit = Commit(commit_id, writes, (), atomic)
            operations.append(operation)
        return operations

    def _request(
        self, wishes: Sequence[Wish], operations: Sequence[Operation], *, atomic: bool
    ) -> resources_pb2.BatchRequest:
        writes = [write for one in operations if one.commit for write in one.commit.writes]
        request = resources_pb2.BatchRequest(atomic=atomic)
        self._follower.client.fill(
            request, [_filled(wish, write) for wish, write in zip(wishes, writes, strict=True)]
        )
        for wish, item in zip(wishes, request.writes, strict=True):
            if wish.deed == Deed.DELETE and wish.expect:
                item.delete_options.resource_version = str(wish.expect)
        assert operations[0].commit
        request.options.request_id = operations[0].commit.id
        return request

    async def _pursue(self, operations: Sequence[Operation], method: str, request: Any) -> Any:
        """Ask until there is an answer; None when given up, or refused as a whole."""
        desk = self._desk
        gives_up_at = desk.now() + TRY_FOR_S
        for _ in range(TRIES_MAX):
            way = self._way()
            for operation in operations:
                operation.tries += 1
            try:
                reply = await way.call(SERVICE + method, request, decoding.REPLIES[method])
                _require_settled(reply)
            except ApiError as error:
                desk.counts[f"try ended as {error.reason}"] += 1
                if settles(error):
                    self._refused(operations, error)
                    return None
                if desk.now() > gives_up_at:
                    break
                await asyncio.sleep(self._rng.random() * PAUSE_S)
            else:
                for operation in operations:
                    operation.member, operation.returned = way.member, desk.now()
                    if operation.tries > 1:
                        desk.counts["answered to a repeat"] += 1
                return reply
        desk.counts["given up"] += len(operations)
        return None

    def _way(self) -> Way:
        if self._rng.random() < 0.5:
            return self._follower
        return Direct(self._desk.members, self._rng.choice(list(self._desk.members.addresses)))

    def _refused(self, operations: Sequence[Operation], error: ApiError) -> None:
        """The whole request was refused: what it asked for certainly did not happen."""
        self._desk.counts[f"request refused: {error.reason} {error.message}"] += 1
        for operation in operations:
            operation.failed = True

    def _answered(self, operation: Operation, wishes: Sequence[Wish], told: Sequence[Any]) -> None:
        """Note the outcomes of one commit. An atomic one tells the same refusal for every write,
        with the name of the one that could not be."""
        outcomes = []
        for wish, one in zip(wishes, told, strict=True):
            if one.error is None:
                outcomes.append(Outcome(one.revision))
                self._known[wish.key] = 0 if wish.deed == Deed.DELETE else one.revision
                continue
            refusal = _refusal(one.error, wish)
            self._desk.counts[f"refused as {refusal or one.error.reason}"] += 1
            if refusal is None:  # it says nothing of the state
                operation.failed, operation.returned = True, float("inf")
                return
            if refusal == Refusal.MISSING or wish.expect:
                self._known.pop(wish.key, None)
            outcomes.append(Outcome(0, refusal, UNTOLD))
        revision = max(outcome.revision for outcome in outcomes) or UNTOLD
        operation.result = Result(tuple(outcomes), revision)

    async def read(self, kind: Kind, key: Key | None = None) -> bool:
        """One read of one key, wherever."""
        operation = self._desk.history.begin(self._number, kind, self._desk.now())
        operation.key = key = key or self._rng.choice(KEYS)
        request = resources_pb2.GetRequest(
            resource=RESOURCE, namespace=key.namespace, name=key.name, stale=kind == Kind.STALE
        )
        for _ in range(TRIES_MAX):
            way = self._way()
            operation.tries += 1
            try:
                reply = await way.call(SERVICE + "Get", request, decoding.REPLIES["Get"])
            except ApiError as error:
                if error.reason != Reason.NOT_FOUND:
                    self._desk.counts[f"try ended as {error.reason}"] += 1
                    if self.ending:
                        return False
                    await asyncio.sleep(self._rng.random() * PAUSE_S)
                    continue
                rows = []
            else:
                rows = [_row(reply.object)]
            self._told(operation, way, rows, UNTOLD)
            self._known[key] = rows[0].revision if rows else 0
            return True
        return False

    async def list(self, kind: Kind, member: int = 0) -> bool:
        """All keys, in small pages, each from anywhere unless a member is named."""
        operation = self._desk.history.begin(self._number, kind, self._desk.now())
        operation.resource = RESOURCE
        request = resources_pb2.ListRequest(
            resource=RESOURCE, limit=PAGE_OBJECTS, stale=kind == Kind.PAGE
        )
        rows: list[Row] = []
        for _ in range(TRIES_MAX):
            way = Direct(self._desk.members, member) if member else self._way()
            operation.tries += 1
            try:
                reply = await way.call(SERVICE + "List", request, decoding.REPLIES["List"])
            except ApiError as error:
                self._desk.counts[f"try ended as {error.reason}"] += 1
                if self.ending and not member:
                    return False
                await asyncio.sleep(self._rng.random() * PAUSE_S)
                continue
            rows += [_row(data) for data in reply.objects]
            if not reply.continue_token:
                self._told(operation, way, rows, reply.revision)
                return True
            request.continue_token = reply.continue_token
        return False

    def _told(self, operation: Operation, way: Way, rows: Sequence[Row], revision: int) -> None:
        operation.rows, operation.revision, operation.member = rows, revision, way.member
        operation.returned = self._desk.now()
        self._desk.counts[f"{operation.kind} answered"] += 1


def _filled(wish: Wish, write: Write) -> ApiWrite:
    """The write as the product's client sends it."""
    _, namespace, name = wish.key
    if write.value is None:
        return ApiWrite(WriteVerb.DELETE, RESOURCE, namespace=namespace, name=name)
    message = core_pb2.ConfigMap()
    message.metadata.namespace, message.metadata.name = namespace, name
    if wish.deed == Deed.UPDATE and wish.expect:
        message.metadata.resourceVersion = str(wish.expect)
    message.data[FIELD] = write.value.decode()
    return ApiWrite(WriteVerb(wish.deed), RESOURCE, message)


def _require_settled(reply: Any) -> None:
    """Raises the ApiError of an outcome that leaves open whether its write happened."""
    if not isinstance(reply, resources_pb2.BatchReply):
        return
    for outcome in decoding.outcomes(reply):
        if outcome.error is not None and not settles(outcome.error):
            raise outcome.error


def _refusal(error: ApiError, wish: Wish) -> Refusal | None:
    """What an outcome's error says in the store's words; None: nothing of the state."""
    if error.name and error.name != wish.key.name and error.kind == RESOURCE:
        return Refusal.NOT_DONE
    if error.reason == Reason.NOT_FOUND:
        return Refusal.MISSING
    if error.reason == Reason.ALREADY_EXISTS:
        return Refusal.EXISTS
    if error.reason == Reason.CONFLICT and wish.expect:
        return Refusal.STALE
    return None


def _row(data: bytes) -> Row:
    """An object as it was shown."""
    message = core_pb2.ConfigMap.FromString(data)
    meta = message.metadata
    value = message.data.get(FIELD, "").encode()
    return Row(Key(RESOURCE, meta.namespace, meta.name), value, int(meta.resourceVersion), UNTOLD)
