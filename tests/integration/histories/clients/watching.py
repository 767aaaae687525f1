"""Clients that watch: connect, take what comes, resume elsewhere when it stops coming."""

from __future__ import annotations

import asyncio
import random

from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import Key
from tests.integration.histories.clients.recorded import Desk
from tests.integration.histories.ledger import FIELD, RESOURCE
from tests.sim.history import Page, Seen, Watch

SILENCE_S = 2.5
"""Nothing said for so long while others write: the control node is paused, or cut off."""
LEFT = 0.01
"""Chance to leave after a page, and to resume."""
PAUSE_S = 0.5


class RecordedWatcher:
    """One watch over the whole run, of many connections, until `ending`."""

    def __init__(self, desk: Desk, rng: random.Random) -> None:
        self._desk = desk
        self._rng = rng
        self._more = asyncio.Event()  # set by every page; `reach` waits
        self.reached = 0
        self.ending = False

    async def reach(self, revision: int) -> None:
        """Wait until it has told everything up to a revision."""
        while True:
            self._more.clear()
            if self.reached >= revision:
                return
            await self._more.wait()

    async def run(self) -> None:
        """Connect again and again."""
        desk = self._desk
        while not self.ending:
            member = self._rng.choice(list(desk.members.addresses))
            watch = desk.history.connect(RESOURCE, self.reached, member)
            desk.counts["watch resumed" if self.reached else "watch begun"] += 1
            try:
                await self._follow(watch)
            except TimeoutError:
                desk.counts["watch fell silent"] += 1
            except ApiError as error:
                desk.counts[f"watch ended as {error.reason}"] += 1
                if error.reason == Reason.EXPIRED:
                    watch.expired, self.reached = True, 0
            if watch.pages and not self.reached:
                desk.counts["watch cut in its beginning"] += 1
            await asyncio.sleep(self._rng.random() * PAUSE_S)

    async def _follow(self, watch: Watch) -> None:
        request = resources_pb2.WatchRequest(resource=RESOURCE, after_revision=watch.after)
        replies = self._desk.members.watch(watch.member, request)
        try:
            while not self.ending:
                async with asyncio.timeout(SILENCE_S):
                    reply = await anext(replies, None)
                if reply is None:
                    self._desk.counts["watch ended by the server"] += 1
                    return
                self._note(watch, reply)
                if self._rng.random() < LEFT:
                    return
        finally:
            await replies.aclose()

    def _note(self, watch: Watch, reply: resources_pb2.WatchReply) -> None:
        """A page. Before the bookmark at the end of the initial state there is nothing to resume
        after."""
        events = [_seen(item) for item in reply.events]
        begun = watch.after or any(page.revision for page in watch.pages)
        marked = any(one.type == EventType.BOOKMARK for one in events)
        revision = events[-1].revision if begun or marked else 0
        watch.pages.append(Page(events, revision))
        self.reached = revision or self.reached
        self._more.set()
        self._desk.counts["page told"] += 1


def _seen(item: resources_pb2.WatchEvent) -> Seen:
    kind = EventType(item.type)
    if kind == EventType.BOOKMARK:
        return Seen(kind, item.revision, None, None)
    message = core_pb2.ConfigMap.FromString(item.object)
    key = Key(RESOURCE, message.metadata.namespace, message.metadata.name)
    return Seen(kind, item.revision, key, message.data.get(FIELD, "").encode())
