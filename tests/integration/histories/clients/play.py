"""The clients of one run: they begin, go on through whatever happens, and sweep at the end.

After the faults everything must go on within LEVEL_S: every key takes a write, every member shows
it, every watch tells it. What does not is a complaint in the ledger.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from holdfast.api.client.endpoint import Endpoint
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Reason
from tests.integration.histories.clients.asking import Follower, Members
from tests.integration.histories.clients.recorded import Deed, Desk, RecordedClient, Wish
from tests.integration.histories.clients.watching import RecordedWatcher
from tests.integration.histories.ledger import KEYS, SPACES, Ledger
from tests.sim.history import History, Kind

CLIENTS = 8
WATCHERS = 3
BEGIN_S = 40.0
END_S = 25.0
"""Operations under way at the end may be settled for so long."""
LEVEL_S = 20.0
AGAIN_S = 0.1


class Play:
    """The clients. addresses: of the control nodes, by number. voters: it begins when all members
    know so many."""

    def __init__(
        self, endpoint: Endpoint, addresses: Mapping[int, str], seed: int, voters: int
    ) -> None:
        counts: Counter[str] = Counter()
        self._counts = counts
        self._stage = ""  # of the end: what it waits for
        self._voters = voters
        self._members = Members(endpoint, addresses)
        self._desk = Desk(History(), self._members, counts, time.monotonic)
        self._followers = [Follower(endpoint, addresses) for _ in range(CLIENTS + 1)]
        self._clients = [
            RecordedClient(self._desk, follower, number, random.Random(f"{seed} {number}"))
            for number, follower in enumerate(self._followers, 1)
        ]
        self._sweeper = self._clients.pop()
        self._watchers = [
            RecordedWatcher(self._desk, random.Random(f"{seed} watcher {n}"))
            for n in range(WATCHERS)
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._watching: list[asyncio.Task[None]] = []
        self.ledger = Ledger(self._desk.history)

    async def begin(self) -> None:
        """Wait until the members stand, make the namespaces, begin. Raises TimeoutError."""
        async with asyncio.timeout(BEGIN_S):
            await _until(self._all_stand)
            for space in SPACES:
                message = core_pb2.Namespace()
                message.metadata.name = space
                await self._followers[0].client.create("namespaces", message)
        self._tasks = [asyncio.create_task(one.run()) for one in self._clients]
        self._watching = [asyncio.create_task(one.run()) for one in self._watchers]

    async def _all_stand(self) -> bool:
        """Every member answers, and knows who leads and every member as a voter; on an etcd, it
        knows of nobody but the leader and itself."""
        try:
            for member in self._members.addresses:
                status = await self._members.status(member)
                voters = sum(one.voter for one in status.members)
                if not status.leader or voters < self._voters:
                    return False
        except ApiError:
            return False
        return True

    async def leader(self) -> int:
        """The number of the member that says it leads, by the newest term; 0 = none."""

        async def ask(member: int) -> tuple[int, int]:
            try:
                status = await self._members.status(member)
            except ApiError:
                return 0, 0
            mine = self._members.addresses[member]
            leads = any(one.leader and mine in (*one.endpoints, one.endpoint)
                        for one in status.members)  # fmt: skip
            return (status.term, member) if leads else (0, 0)

        found = await asyncio.gather(*(ask(member) for member in self._members.addresses))
        return max(found)[1]

    async def end(self) -> None:
        """Let the clients finish, then judge that everything goes on."""
        for client in self._clients:
            client.ending = True
        await self._settle(self._tasks, END_S, "clients did not come to an end")
        began = time.monotonic()
        try:
            async with asyncio.timeout(LEVEL_S):
                newest = await self._sweep()
                await self._show(newest)
                await self._watched(newest)
        except TimeoutError:
            self.ledger.complaints.append(self._complaint())
        self._counts["ms until level"] = round((time.monotonic() - began) * 1e3)
        for watcher in self._watchers:
            watcher.ending = True
        for task in self._watching:
            task.cancel()
        await self._settle(self._watching, 2.0, "watches did not come to an end")
        self.ledger.counts = dict(self._counts)

    def _complaint(self) -> str:
        return f"{LEVEL_S} s after the faults: {self._stage}"

    async def _sweep(self) -> int:
        """Write every key, whatever is there; the newest revision then."""
        sweeper = self._sweeper
        for key in KEYS:
            self._stage = f"{key.name} takes no write"
            await _until(partial(sweeper.read, Kind.READ, key))
            deed = Deed.UPDATE if sweeper.saw(key) else Deed.CREATE
            await _until(partial(sweeper.write, [Wish(deed, key)]))
        return max(
            outcome.revision
            for one in self._desk.history.operations
            if one.result
            for outcome in one.result.outcomes
        )

    async def _show(self, newest: int) -> None:
        """Every member shows, of its own, what was written last."""
        for member in self._members.addresses:
            self._stage = f"member {member} does not reach revision {newest}"
            await _until(partial(self._reached, member, newest))
            self._stage = f"member {member} lists nothing"
            await _until(partial(self._sweeper.list, Kind.PAGE, member))

    async def _reached(self, member: int, newest: int) -> bool:
        try:
            return (await self._members.status(member)).revision >= newest
        except ApiError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.TIMEOUT):
                self._counts[f"status ended as {error.reason}"] += 1
            return False

    async def _watched(self, newest: int) -> None:
        for number, watcher in enumerate(self._watchers):
            self._stage = f"watch {number} does not reach revision {newest}"
            await watcher.reach(newest)

    async def _settle(self, tasks: list[asyncio.Task[None]], for_s: float, what: str) -> None:
        """Wait for tasks. What they raise is a fault of the test: it is raised."""
        every = asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(for_s):
                found = await every
        except TimeoutError:
            self.ledger.complaints.append(f"{what} within {for_s} s")
            return
        for error in found:
            if isinstance(error, Exception):
                raise error

    async def close(self) -> None:
        """End what still runs."""
        for task in (*self._tasks, *self._watching):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._watching, return_exceptions=True)
        await self._members.close()
        for follower in self._followers:
            await follower.client.close()


async def _until(attempt: Callable[[], Awaitable[bool]]) -> None:
    """Attempt until it succeeds; the caller bounds the time."""
    while True:
        if await attempt():
            return
        await asyncio.sleep(AGAIN_S)
