"""Clients that watch: connect, take what comes, resume elsewhere when it stops coming.

The stream keeps its order; when a part of it is lost the member ends it, as TCP would, and the
client finds out by silence. It resumes after the last revision it was told, at another member if
chance wants it, and begins again with the state when that revision is too old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from holdfast.api.errors import ApiError, Reason
from holdfast.control.cache import Batch
from tests.sim.history import Page, Seen, Watch
from tests.sim.whole.member import Member
from tests.sim.whole.stage import Stage
from tests.sim.whole.world import Host

SILENCES = 4
"""Bookmark intervals without a word after which a stream is dead."""


class WatchClient:
    """One watch over the whole run, of many connections."""

    def __init__(
        self, stage: Stage, members: Mapping[int, Member], host: Host, number: int, resource: str
    ) -> None:
        self._stage = stage
        self._members = members
        self._host = host
        self._number = number
        self._resource = resource
        self._rng = stage.world.streams[f"watcher {number}"]
        self._slow_s = 0.8 if stage.plan.slow_watchers and self._rng.random() < 0.5 else 0.0
        self.reached = 0
        self.ending = False

    async def run(self) -> None:
        """Connect again and again."""
        while not self.ending:
            member = self._rng.choice(self._ids())
            watch = self._stage.history.connect(self._resource, self.reached, member)
            if self.reached:
                self._stage.counts["watch resumed"] += 1
            stream = Stream(self._stage, self._members, self._host, self._number)
            try:
                await self._follow(stream, watch)
            except TimeoutError:
                self._stage.counts["watch fell silent"] += 1
            except ApiError as error:
                self._note(error, watch)
            finally:
                stream.close(member)
            await asyncio.sleep(0.05 + self._rng.random() * 0.3)

    def _ids(self) -> Sequence[int]:
        return [ident for ident, member in self._members.items() if member.starts]

    def _note(self, error: ApiError, watch: Watch) -> None:
        if error.reason == Reason.EXPIRED:
            self._stage.counts["watch below the floor"] += 1
            watch.expired = True
            self.reached = 0
        elif error.reason == Reason.TIMEOUT:
            self._stage.counts["watch ahead of its member"] += 1

    async def _follow(self, stream: Stream, watch: Watch) -> None:
        silence_s = max(2.0, SILENCES * self._stage.plan.bookmark_s)
        stream.open(watch.member, self._resource, watch.after, self._slow_s)
        while not self.ending:
            async with asyncio.timeout(silence_s):
                page = await stream.next()
            watch.pages.append(page)
            if page.revision:
                self.reached = page.revision
            if self._rng.random() < 0.05:
                self._leave(page)
                return

    def _leave(self, page: Page) -> None:
        """Break off, and resume inside the page: a commit's rest must still come."""
        told = [one.revision for one in page.events if one.key is not None and page.revision]
        if told and self._rng.random() < 0.7:
            self.reached = self._rng.choice(told)
            if self.reached < page.revision:
                self._stage.counts["watch resumed inside a commit"] += 1


class Stream:
    """One connection: pages in order, or an error."""

    def __init__(
        self, stage: Stage, members: Mapping[int, Member], host: Host, number: int
    ) -> None:
        self._stage = stage
        self._members = members
        self._host = host
        self._number = number
        self._arrived: asyncio.Queue[Page | ApiError] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def open(self, member: int, resource: str, after: int, slow_s: float) -> None:
        """Ask the member for its pages."""

        def arrive() -> None:
            target = self._members[member]
            if target.host is None or target.hub is None or self._closed:
                self._answer(member, ApiError(Reason.UNAVAILABLE, "nobody is there"))
                return
            work = self._serve(target, resource, after, slow_s)
            self._task = self._stage.world.spawn(target.host, work)

        self._stage.network.carry(self._number, member, arrive, whole=True)

    async def next(self) -> Page:
        """The next page. Raises ApiError."""
        found = await self._arrived.get()
        if isinstance(found, ApiError):
            raise found
        return found

    def close(self, member: int) -> None:
        """The client leaves; the member hears of it if it can."""
        self._closed = True

        def cancel() -> None:
            if self._task is not None and not self._task.done():
                self._task.get_loop().call_soon(self._task.cancel)

        self._stage.network.carry(self._number, member, cancel, whole=True)

    async def _serve(self, member: Member, resource: str, after: int, slow_s: float) -> None:
        """In the member's process."""
        assert member.hub
        rng = self._stage.world.streams["slow watchers"]
        try:
            await member.admit()
            watcher = member.hub.watch(resource, after=after)
        except ApiError as error:
            self._answer(member.id, error)
            return
        try:
            while True:
                page = _page(await watcher.next())
                if not self._answer(member.id, page):
                    return
                if slow_s:
                    await asyncio.sleep(rng.random() * slow_s)
        except ApiError as error:
            self._answer(member.id, error)
        finally:
            watcher.close()

    def _answer(self, member: int, found: Page | ApiError) -> bool:
        loop, arrived = self._host.loop, self._arrived
        return self._stage.network.carry(
            member,
            self._number,
            lambda: loop.call_soon(arrived.put_nowait, found) and None,
            whole=True,
        )


def _page(batch: Batch) -> Page:
    events = [Seen(one.type, one.revision, one.key, one.data) for one in batch.events]
    return Page(events, batch.revision)
