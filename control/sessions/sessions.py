"""All sessions of this control node, and the loop that performs what the verdicts say.

The service (control/rpc/sessions) hands every stream to `serve`. `run` is the shell around the
pure `verdicts` and `effects`: one task judges at each deadline, one writes Nodes until all are as
they should be. They are two because judging must not wait for a slow disk.

Only the leader holds sessions: `run` is for one term. A new leader has heard nobody yet, so every
node gets the time to find it; when the term ends, the nodes are sent away to look for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from holdfast.api.errors import ApiError, Reason, not_leader
from holdfast.api.identity import NODE_PREFIX, Identity, of_controller
from holdfast.control.registry.intents import Intent, Verb
from holdfast.control.sessions import effects, verdicts
from holdfast.control.sessions.session import Commit, Session, Stream, hello
from holdfast.control.store.engine import StoreError
from holdfast.control.together import together

if TYPE_CHECKING:
    from holdfast.control.cache import Cache, Entry, Update
    from holdfast.control.registry.registry import Registry

JUDGE_S_MAX = 0.5
"""Judge at least this often: below verdicts.STALL_S, or our own pause would go unnoticed."""
JUDGE_S_MIN = 0.1
"""And no more often: with a thousand nodes somebody's deadline is always near."""
WRITE_NODES_MAX = 500
WRITE_AGAIN_S = 0.5
WRITES_AT_ONCE = 16
"""Batches of nodes being committed; the others wait, and what a waiting node has to say meanwhile
goes into its next batch."""

_log = structlog.get_logger()
_WRITER = of_controller("node-sessions")


def _gone() -> ApiError:
    return not_leader("another control node leads now")


class Sessions:
    """The open sessions by node name. `run` must run for anybody to be judged."""

    def __init__(
        self, cache: Cache, registry: Registry, clock: Callable[[], float],
        elsewhere: Callable[[], ApiError] = _gone,
    ) -> None:  # fmt: skip
        """clock: Unix seconds, for what is written; judging uses the event loop's own clock.
        elsewhere: what a node is told whose session is with a leader no more."""
        self._endpoints: tuple[str, ...] = ()
        self._elsewhere = elsewhere
        self._over = False  # the newest term has ended
        self._term = 0
        self._cache = cache
        self._registry = registry
        self._clock = clock
        self._open: dict[str, Session] = {}
        self._gate = asyncio.Semaphore(WRITES_AT_ONCE)
        self._interval_s = verdicts.interval_s(0)
        self._verdicts = verdicts.Verdicts()
        self._suspended = False
        # Nodes to look at again. Set by beats and judgements, emptied by the writing task, which
        # waits for `_work`. A dict, because its order is fixed.
        self._unsettled: dict[str, None] = {}
        self._work = asyncio.Event()

    def get(self, node: str) -> Session | None:
        """The node's open session."""
        return self._open.get(node)

    def connected(self) -> int:
        """How many sessions are open."""
        return len(self._open)

    async def serve(self, identity: Identity, stream: Stream, commit: Commit) -> None:
        """Answer one stream, until its end. commit: for the writes that come over it.

        Raises ApiError: Forbidden (not the node it says it is), BadRequest and Timeout (no Hello),
        Conflict (another session of the node took over), Unavailable (the node was lost),
        NotLeader (another control node leads now).
        """
        greeting = await hello(stream)
        node = greeting.node_name
        if not node or identity.node != node:
            raise ApiError(
                Reason.FORBIDDEN, f'"{identity.name}" cannot open the session of node "{node}"'
            )
        if self._over:  # since the Hello was awaited
            raise self._elsewhere()
        session = self._begin(node, greeting.boot_id, stream)
        try:
            await session.follow(lambda: self._beat(session), commit)
        finally:
            self._finish(session)

    def revoked(self, name: str) -> None:
        """The certificates of this identity were revoked: end its session."""
        session = self._open.get(name.removeprefix(NODE_PREFIX))
        if session is not None and name.startswith(NODE_PREFIX):
            message = f'the certificate of "{name}" was revoked: join again'
            session.end(ApiError(Reason.UNAUTHORIZED, message))

    async def run(self, term: int = 0) -> None:
        """Judge and write until cancelled, which ends every session. term: that of the leader; its
        commits carry it."""
        self._term = term
        self._over = False
        self._verdicts = verdicts.Verdicts()
        self._unsettled.clear()
        now = asyncio.get_running_loop().time()
        for entry in self._cache.list("nodes"):
            self._verdicts.expect(entry.key.name, now)
        for session in self._open.values():
            self._beat(session)
        end = self._cache.subscribe("nodes", self._nodes_changed)
        try:
            await together(self._judge_forever(), self._write_forever())
        finally:
            end()
            self._over = True
            for session in list(self._open.values()):
                session.end(self._elsewhere())

    def tell(self, endpoints: tuple[str, ...]) -> None:
        """The mutual-TLS listeners of all control nodes are these: every node hears of it with
        the answer to its next message."""
        self._endpoints = endpoints
        for session in self._open.values():
            session.endpoints = endpoints

    def _begin(self, node: str, boot_id: str, stream: Stream) -> Session:
        before = self._open.get(node)
        if before is not None:
            _log.warning("session_replaced", node=node, same_boot=before.boot_id == boot_id)
            before.end(ApiError(Reason.CONFLICT, f'another session of node "{node}" took over'))
        session = self._open[node] = Session(node, boot_id, stream, self._gate)
        self._interval_s = verdicts.interval_s(len(self._open))
        session.interval_s = self._interval_s
        session.endpoints = self._endpoints
        self._beat(session)
        # Also when it was not lost: its taints may be from before this control node's start.
        self._settle(node)
        return session

    def _finish(self, session: Session) -> None:
        if self._open.get(session.node) is session:
            del self._open[session.node]
            if not session.ended_here:
                self._verdicts.closed(session.node)
            self._interval_s = verdicts.interval_s(len(self._open))

    def _beat(self, session: Session) -> float:
        now = asyncio.get_running_loop().time()
        if self._verdicts.heard(session.node, session.interval_s, now):
            _log.info("node_back", node=session.node)
            self._settle(session.node)
        return self._interval_s

    def _settle(self, node: str) -> None:
        self._unsettled[node] = None
        self._work.set()

    def _nodes_changed(self, updates: Sequence[Update]) -> None:
        now = asyncio.get_running_loop().time()
        for update in updates:
            if update.new is None:
                assert update.old is not None, "a delete of nothing"
                self._verdicts.forget(update.old.key.name)
            elif update.old is None:
                self._verdicts.expect(update.new.key.name, now)

    async def _judge_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            judgement = self._verdicts.judge(loop.time())
            if judgement.suspended != self._suspended:
                self._suspended = judgement.suspended
                _log.warning("judgement_suspended" if self._suspended else "judgement_resumed")
            for node in judgement.absent:
                _log.warning("agent_gone", node=node)
                self._settle(node)
            for node in judgement.lost:
                self._lose(node)
            deadline = self._verdicts.deadline()
            wait_s = JUDGE_S_MAX if deadline is None else deadline - loop.time()
            await asyncio.sleep(min(JUDGE_S_MAX, max(JUDGE_S_MIN, wait_s)))

    def _lose(self, node: str) -> None:
        _log.warning("node_lost", node=node)
        session = self._open.get(node)
        if session is not None:
            # It opens a new one when it is back, and then reports its whole state again.
            session.end(ApiError(Reason.UNAVAILABLE, f'node "{node}" was silent for too long'))
        self._settle(node)

    async def _write_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._unsettled:
                nodes = list(self._unsettled)[:WRITE_NODES_MAX]
                for node in nodes:
                    del self._unsettled[node]
                if again := await self._write(nodes):
                    self._unsettled.update(dict.fromkeys(again))
                    await asyncio.sleep(WRITE_AGAIN_S)

    async def _write(self, nodes: list[str]) -> list[str]:
        """Bring these Nodes to what they should be; returns those to try again."""
        taints = await self._commit([self._taints(node) for node in nodes])
        # The status is decided after the taints are there: both expect the revision they saw.
        status = await self._commit([self._status(node) for node in nodes])
        return list(dict.fromkeys((*taints, *status)))

    def _taints(self, node: str) -> Intent | None:
        entry = self._cache.get("nodes", "", node)
        if entry is None:
            return None
        standing = self._verdicts.standing(node)
        wanted = effects.taints_wanted(entry.message, standing, self._clock())
        return None if wanted is None else _intent(entry, wanted, "")

    def _status(self, node: str) -> Intent | None:
        entry = self._cache.get("nodes", "", node)
        if entry is None:
            return None
        standing = self._verdicts.standing(node)
        wanted = effects.status_wanted(entry.message, standing, self._clock())
        return None if wanted is None else _intent(entry, wanted, "status")

    async def _commit(self, intents: list[Intent | None]) -> list[str]:
        wanted = [intent for intent in intents if intent is not None]
        if not wanted:
            return []
        try:
            answers = await self._registry.commit(wanted, _WRITER, term=self._term)
        except (ApiError, StoreError) as error:
            _log.warning("nodes_not_written", nodes=len(wanted), error=str(error))
            return [intent.name for intent in wanted]
        again = []
        for intent, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, ApiError) and answer.reason is not Reason.NOT_FOUND:
                _log.info("node_not_written", node=intent.name, error=answer.message)
                again.append(intent.name)
        return again


def _intent(entry: Entry, wanted: object, subresource: str) -> Intent:
    return Intent(
        Verb.UPDATE,
        "nodes",
        "",
        entry.key.name,
        wanted,
        subresource,
        expect_revision=entry.revision,
    )
