"""The one door through which anything is written: `Registry.commit`.

The gRPC services, sessions, controllers and scheduler call it inside the leader. It prepares each
intent against the cache (pure modules beside this one), hands the drafts to the engine, and tells
what became of each. When it returns, the cache has applied what was done. Everything it decides
from the cache is guarded by the revision it was decided on, and prepared again (a bounded number
of times) when that turns out old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.api.errors import ApiError, Reason, conflict, not_leader
from holdfast.api.identity import Identity
from holdfast.control.cache import Cache, Entry
from holdfast.control.registry import answers, batches
from holdfast.control.registry.addresses.ranges import Ranges
from holdfast.control.registry.addresses.services import ip_pool
from holdfast.control.registry.answers import ATTEMPTS_MAX, Verdict
from holdfast.control.registry.drafts import Draft, Situation, refused
from holdfast.control.registry.ids import Ids
from holdfast.control.registry.intents import Done, Intent, Verb
from holdfast.control.registry.metadata import MANAGER_CHARACTERS_MAX
from holdfast.control.registry.preparation import Preparation, key_of
from holdfast.control.registry.proven import ProvenTemplates
from holdfast.control.store.commands import ABSENT, Commit, Key, Outcome, Refusal, Write, flaw
from holdfast.control.store.engine import (
    Engine,
    NotLeaderError,
    StoreError,
    UnknownOutcomeError,
)

SLICE_S = 0.002
"""Longest time that preparing holds the loop: several commits prepare in one turn of it."""

Answer = Done | ApiError


@dataclass(slots=True)
class _Request:
    """What the engine commits of one call share."""

    intents: Sequence[Intent]
    keys: Sequence[Key]
    situation: Situation
    term: int
    id: bytes
    dry_run: bool
    atomic: bool


class Registry:
    """Writes for everybody. clock: Unix seconds. ids: where names and uids come from."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        clock: Callable[[], float],
        ids: Ids,
        ranges: Ranges | None = None,
    ) -> None:
        self.ranges = ranges or Ranges()
        self._engine = engine
        self._cache = cache
        self._clock = clock
        self._ids = ids
        self._proven = ProvenTemplates()
        self._reserved: set[Key] = set()
        self._creating: dict[str, int] = {}  # namespace → groups of writes that create in it

    async def commit(
        self,
        intents: Sequence[Intent],
        identity: Identity,
        *,
        term: int = 0,
        atomic: bool = False,
        request_id: bytes = b"",
        dry_run: bool = False,
        field_manager: str = "",
    ) -> list[Done | ApiError]:
        """Write, in order; one answer an intent.

        Each intent succeeds or is refused alone; atomic: all or none (at most 100 writes, no key
        twice), and a refusal is the answer to every intent. term: refused when another one has
        begun; 0 = any. request_id: 16 bytes; a repeat of the call with the same id and intents
        gets the first answers and writes nothing. dry_run: everything but the writing.
        field_manager: for managedFields, "" = the caller's name. The caller must have been
        allowed already. Raises ApiError BadRequest for a bad request_id or field_manager.
        """
        batches.check_request(request_id, field_manager, MANAGER_CHARACTERS_MAX)
        manager = field_manager or identity.name[:MANAGER_CHARACTERS_MAX]
        situation = self._situation(request_id, manager)
        keys = [key_of(intent) for intent in intents]
        request = _Request(intents, keys, situation, term, request_id, dry_run, atomic)
        if atomic:
            return await self._commit_atomic(request)
        told: dict[int, Answer] = {}
        for number, group in enumerate(batches.groups(intents, request.keys)):
            noted = self._note_creations(request, group)
            try:
                await self._commit_group(number, group, request, told)
            finally:
                self._forget_creations(noted)
        return [told[position] for position in range(len(intents))]

    def has(self, intent: Intent) -> bool:
        """Whether the object that an intent is about is there."""
        return self._cache.get(*key_of(intent)) is not None

    async def reserve_service_ip(self, address: str, owner: str) -> None:
        """Keep a service address from ever being given to a Service. Raises ApiError Conflict when
        somebody else has it already."""
        key = ip_pool(self.ranges).key(address)
        there = self._cache.get(*key)
        if there is None:
            write = Write(key, owner.encode(), ABSENT)
            result = await self._engine.commit(Commit(b"", [write]))
            if result.outcomes[0].refusal is None:
                return
            there = self._cache.get(*key)
        taken_by = "" if there is None else there.data.decode()
        if taken_by != owner:
            raise conflict("services", address, f"{owner} needs it, but it is taken by {taken_by}")

    def _situation(self, request_id: bytes, manager: str) -> Situation:
        return Situation(
            view=self._cache,
            now=self._clock(),
            ids=self._ids.of_request(request_id),
            manager=manager,
            ranges=self.ranges,
            proven=self._proven,
            reserved=self._reserved,
            creating=self._creating.__contains__,
        )

    def _note_creations(self, request: _Request, group: Sequence[int]) -> list[str]:
        """While something is created in a namespace, that namespace is not removed."""
        intents, keys = request.intents, request.keys
        noted = {keys[i].namespace: None for i in group if intents[i].verb is Verb.CREATE}
        for namespace in noted:
            self._creating[namespace] = self._creating.get(namespace, 0) + 1
        return list(noted)

    def _forget_creations(self, noted: list[str]) -> None:
        for namespace in noted:
            self._creating[namespace] -= 1
            if not self._creating[namespace]:
                del self._creating[namespace]

    async def _commit_group(
        self, number: int, group: list[int], request: _Request, told: dict[int, Answer]
    ) -> None:
        """One engine commit; what turned out old is prepared again, before the next group."""
        todo = group
        for attempt in range(ATTEMPTS_MAX):
            commit_id = batches.commit_id(request.id, number, attempt)
            drafts, verdicts = await self._attempt(todo, request, commit_id)
            again = []
            for position, draft, verdict in zip(todo, drafts, verdicts, strict=True):
                if isinstance(verdict, Outcome) and verdict.refusal is None:
                    told[position] = self._done(draft, verdict.revision)
                elif attempt < ATTEMPTS_MAX - 1 and answers.is_worth_another_try(draft, verdict):
                    again.append(position)
                else:
                    told[position] = self._answer(draft, verdict)
            if not again:
                return
            todo = again

    async def _commit_atomic(self, request: _Request) -> list[Answer]:
        everything = range(len(request.intents))
        noted = self._note_creations(request, everything)
        try:
            return await self._try_atomic(everything, request)
        finally:
            self._forget_creations(noted)

    async def _try_atomic(self, everything: Sequence[int], request: _Request) -> list[Answer]:
        attempt = 0
        while True:
            commit_id = batches.commit_id(request.id, 0, attempt)
            drafts, verdicts = await self._attempt(everything, request, commit_id)
            culprit = answers.culprit(drafts, verdicts)
            if culprit is None:
                return [self._answer(d, v) for d, v in zip(drafts, verdicts, strict=True)]
            attempt += 1
            if attempt == ATTEMPTS_MAX or not answers.is_worth_another_try(*culprit):
                return [self._answer(*culprit)] * len(drafts)

    async def _attempt(
        self, positions: Sequence[int], request: _Request, commit_id: bytes
    ) -> tuple[list[Draft], list[Verdict]]:
        """Prepare these intents and write what comes of them."""
        drafts: list[Draft] = []
        try:
            await self._prepare(positions, request, drafts)
            return drafts, await self._submit(drafts, request, commit_id)
        finally:
            self._give_back(drafts)

    async def _prepare(
        self, positions: Sequence[int], request: _Request, drafts: list[Draft]
    ) -> None:
        """Append a draft for each intent, giving way to others every few milliseconds."""
        loop = asyncio.get_running_loop()
        alone = len(request.intents) == 1
        preparation = Preparation(request.situation)
        slice_ends_at = loop.time() + SLICE_S
        for position in positions:
            if loop.time() > slice_ends_at:
                await asyncio.sleep(0)
                slice_ends_at = loop.time() + SLICE_S
            intent = request.intents[position]
            try:
                draft = preparation.draft(intent, request.keys[position])
            except ApiError as error:
                # An answer by now: its traceback would hold this frame, in a cycle.
                draft = refused(request.keys[position], error.with_traceback(None))
            if request.id and draft.settled is not None:
                draft = answers.repeatable(draft, alone=alone, atomic=request.atomic)
            drafts.append(draft)

    async def _submit(
        self, drafts: list[Draft], request: _Request, commit_id: bytes
    ) -> list[Verdict]:
        """The store's word on the first write of each draft."""
        if request.dry_run:
            return [self._foretold(draft) for draft in drafts]
        writes = [write for draft in drafts for write in draft.writes]
        if not writes:
            return [None] * len(drafts)
        if request.atomic and not request.id and any(_is_refused(draft) for draft in drafts):
            return [None] * len(drafts)
        atomic = request.atomic or len(drafts[0].writes) > 1
        commit = Commit(commit_id, writes, atomic=atomic, term=request.term)
        problem = flaw(commit)
        if problem:
            return [ApiError(Reason.BAD_REQUEST, problem)] * len(drafts)
        for draft in drafts:
            if draft.message is not None:
                self._cache.expect(draft.data, draft.message)
        try:
            result = await self._engine.commit(commit)
        except StoreError as error:
            return [_failure(error) if draft.writes else None for draft in drafts]
        finally:
            for draft in drafts:
                self._cache.expect_no_more(draft.data)
        return _verdicts(drafts, result.outcomes)

    def _give_back(self, drafts: list[Draft]) -> None:
        """The addresses these drafts chose are taken in the cache by now, or free again."""
        for draft in drafts:
            if len(draft.writes) > 1:
                self._reserved.difference_update([write.key for write in draft.writes[1:]])

    def _foretold(self, draft: Draft) -> Verdict:
        """What the store would say, as far as the cache knows."""
        there = self._cache.get(*draft.key) if draft.base is None else None
        if there is not None and draft.settled is None:
            return Outcome(0, Refusal.EXISTS, there.revision)
        return None if draft.settled is not None else Outcome(0)

    def _answer(self, draft: Draft, verdict: Verdict) -> Answer:
        if isinstance(verdict, ApiError):
            return verdict
        if verdict is None or verdict.refusal is not None:
            if draft.settled is not None:
                return draft.settled
            assert verdict is not None, "a draft that is not settled was not submitted"
            return answers.refusal_of(draft, verdict)
        return self._done(draft, verdict.revision)

    def _done(self, draft: Draft, revision: int) -> Done:
        """The object as the cache has it; as drafted in a dry run, or when it moved on already."""
        if not draft.data and draft.settled is None:
            return Done(draft.base, revision)
        entry = self._cache.get(*draft.key)
        if revision and entry is not None and entry.revision >= revision:
            return Done(entry, revision)
        if not draft.data:
            return Done(None, revision)
        before = 0 if draft.base is None else draft.base.revision
        created = revision if draft.base is None else draft.base.created
        at = revision or before
        message = self._cache.decode(draft.key.resource, draft.data)
        return Done(Entry(draft.key, at, created, message, draft.data), revision)


def _is_refused(draft: Draft) -> bool:
    return isinstance(draft.settled, ApiError)


def _verdicts(drafts: list[Draft], outcomes: Sequence[Outcome]) -> list[Verdict]:
    verdicts: list[Verdict] = []
    at = 0
    for draft in drafts:
        verdicts.append(outcomes[at] if draft.writes else None)
        at += len(draft.writes)
    return verdicts


def _failure(error: StoreError) -> ApiError:
    if isinstance(error, NotLeaderError):
        return not_leader(str(error), error.endpoints)
    unknown = isinstance(error, UnknownOutcomeError)
    return ApiError(Reason.UNKNOWN_OUTCOME if unknown else Reason.UNAVAILABLE, str(error))
