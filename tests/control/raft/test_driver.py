"""The driver alone: batches for the disk, ticks that come late, a disk that is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random

import pytest

from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.messages import (
    LOCAL_APPEND,
    ConfState,
    Entry,
    HardState,
    Message,
    MessageType,
    Snapshot,
)
from holdfast.control.raft.ready import Role
from holdfast.control.raft.shell.appends import Appends
from holdfast.control.raft.shell.driver import Driver
from holdfast.control.raft.shell.seams import Batch, LogFullError, Pace, Setup, View
from holdfast.control.raft.shell.solitude import Solitude
from holdfast.control.raft.storage import MemoryStorage


def append(*indexes: int, term: int = 1, **fields: object) -> Message:
    entries = [Entry(index, term, data=b"x" * 10) for index in indexes]
    return Message(MessageType.STORAGE_APPEND, to=LOCAL_APPEND, entries=entries, **fields)  # type: ignore[arg-type]


def answer(to: int = 2) -> Message:
    return Message(MessageType.APP_RESP, to=to, sender=1)


def indexes(batch: Batch) -> list[tuple[int, int]]:
    return [(entry.index, entry.term) for entry in batch.entries]


class TestAppends:
    """What waits for the disk."""

    def waiting(self, *messages: Message, size: int = 1 << 20) -> Appends:
        appends = Appends(size, HardState(1, 0, 0))
        for message in messages:
            appends.add(message)
        return appends

    @pytest.mark.parametrize(
        ("later", "expected"),
        [
            (append(4, 5, term=2), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]),
            (append(2, term=2), [(1, 1), (2, 2)]),
            (append(1, term=2), [(1, 2)]),
        ],
        ids=["behind", "over the middle", "over all"],
    )
    def test_later_entries_replace_earlier_ones(
        self, later: Message, expected: list[tuple[int, int]]
    ) -> None:
        assert indexes(self.waiting(append(1, 2, 3), later).take()) == expected

    def test_an_earlier_start_replaces_the_whole_batch(self) -> None:
        batch = self.waiting(append(5, 6), append(3, 4, term=2)).take()
        assert indexes(batch) == [(3, 2), (4, 2)]

    def test_responses_stay_in_order(self) -> None:
        first, second = answer(2), answer(3)
        batch = self.waiting(append(1, responses=[first]), append(2, responses=[second])).take()
        assert batch.responses == [first, second]

    def test_a_higher_commit_alone_is_not_urgent(self) -> None:
        appends = self.waiting(append(term=1, commit=5))
        appends = self.waiting(Message(MessageType.STORAGE_APPEND, term=1, commit=5))
        assert not appends.urgent
        appends.add(append(1, responses=[answer()]))
        assert appends.urgent
        assert appends.take().hard_state == HardState(1, 0, 5)
        assert not appends.urgent

    @pytest.mark.parametrize(
        "message",
        [
            Message(MessageType.STORAGE_APPEND, term=2, commit=5),
            Message(MessageType.STORAGE_APPEND, term=1, vote=3, commit=5),
            Message(MessageType.STORAGE_APPEND, responses=[answer()]),
            Message(MessageType.STORAGE_APPEND, snapshot=Snapshot(9, 1)),
        ],
        ids=["term", "vote", "response", "snapshot"],
    )
    def test_what_somebody_waits_for_is_urgent(self, message: Message) -> None:
        assert self.waiting(message).urgent

    def test_a_snapshot_begins_a_batch(self) -> None:
        snapshot = Message(MessageType.STORAGE_APPEND, snapshot=Snapshot(9, 1))
        appends = self.waiting(append(1, 2), snapshot, append(10))
        assert indexes(appends.take()) == [(1, 1), (2, 1)]
        second = appends.take()
        assert second.snapshot == Snapshot(9, 1)
        assert indexes(second) == [(10, 1)]
        assert appends.take() == Batch()

    def test_batches_are_bounded(self) -> None:
        appends = self.waiting(*(append(n) for n in range(1, 6)), size=25)
        assert [len(appends.take().entries) for _ in range(3)] == [2, 2, 1]


class Log(MemoryStorage):
    """What was applied is committed, whatever is durable of that."""

    applied = 1

    def initial_state(self) -> tuple[HardState, ConfState]:
        state, conf = super().initial_state()
        return state._replace(commit=max(state.commit, self.applied)), conf


class Disk:
    """A LogWriter in memory that can be full, or slow."""

    lagging = False

    def __init__(self, log: MemoryStorage) -> None:
        self.log = log
        self.is_full = False
        self.go = asyncio.Event()
        self.go.set()

    async def write(self, batch: Batch) -> None:
        await self.go.wait()
        if self.is_full:
            raise LogFullError("full")
        self.log.append(batch.entries)
        if batch.hard_state:
            self.log.set_hard_state(batch.hard_state)


class Counter:
    """A Machine and an Observer that note what they are told."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.data: list[bytes] = []
        self.views: list[View] = []
        self.fulls = 0

    @property
    def applied(self) -> int:
        return self.log.applied

    async def apply(self, entry: Entry) -> None:
        assert entry.index == self.applied + 1
        self.log.applied = entry.index
        if entry.data:
            self.data.append(entry.data)

    def configure(self, entry: Entry, _conf: ConfState) -> None:
        self.log.applied = entry.index

    def turned(self, view: View) -> None:
        self.views.append(view)

    def full(self, _error: LogFullError) -> None:
        self.fulls += 1

    def failed(self, error: BaseException) -> None:
        raise error


class Alone:
    """A driver of one member, running."""

    def __init__(self, voters: Sequence[int] = (1,), pace: Pace | None = None) -> None:
        self.log = Log()
        self.log.apply_snapshot(Snapshot(1, 1, ConfState(voters=tuple(voters))))
        self.log.set_hard_state(HardState(1, 0, 1))
        self.disk, self.counter = Disk(self.log), Counter(self.log)
        setup = Setup(1, Random(1).randrange, pace or Pace())
        self.driver = Driver(setup, self.log, self.disk, self.counter, Solitude(), self.counter)
        self.tasks = [asyncio.create_task(job()) for job in self.driver.jobs]  # type: ignore[arg-type,var-annotated]

    async def leads(self) -> None:
        async with asyncio.timeout(5):
            await self.driver.until(lambda view: view.leads)


@pytest.fixture
async def alone() -> AsyncIterator[Alone]:
    made = Alone()
    made.driver.start()
    await made.leads()
    yield made
    made.disk.is_full = False
    made.driver.halt()
    await asyncio.gather(*made.tasks)


async def test_a_lone_member_leads_at_once(alone: Alone) -> None:
    assert alone.driver.view == View(2, 1, Role.LEADER, True)
    assert not any(view.leads for view in alone.counter.views[:-1])
    index, term = alone.driver.propose(b"a")
    await alone.driver.reach(index)
    assert (term, alone.counter.data) == (2, [b"a"])
    assert await alone.driver.read_index() == index


async def test_nothing_is_applied_before_it_is_durable(alone: Alone) -> None:
    alone.disk.go.clear()
    index, _ = alone.driver.propose(b"a")
    await asyncio.sleep(0.05)
    assert alone.counter.data == []
    alone.disk.go.set()
    await alone.driver.reach(index)


async def test_a_full_disk_forgets_what_is_not_durable(alone: Alone) -> None:
    index, _ = alone.driver.propose(b"kept")
    await alone.driver.reach(index)
    alone.disk.is_full = True
    alone.driver.propose(b"forgotten")
    async with asyncio.timeout(5):
        await alone.driver.until(lambda view: view.role is Role.FOLLOWER)
    assert alone.counter.fulls == 1
    with pytest.raises(ProposalDroppedError):
        alone.driver.propose(b"refused")
    alone.disk.is_full = False
    alone.driver.resume()
    await alone.leads()
    index, term = alone.driver.propose(b"after")
    await alone.driver.reach(index)
    assert alone.counter.data == [b"kept", b"after"]
    assert term > 2


async def test_late_ticks_are_not_made_up_for() -> None:
    """A loop that was held for many election timeouts brings one tick, not an election."""
    made = Alone(voters=(1, 2, 3), pace=Pace(tick_s=0.01, election_ticks=20, heartbeat_ticks=2))
    made.driver.start()
    await asyncio.sleep(0.03)
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() < began + 0.45:
        sum(range(1000))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert made.driver.view.role is Role.FOLLOWER
    assert made.driver.status().hard_state.term == 1
    made.driver.halt()
    await asyncio.gather(*made.tasks)


async def test_a_leader_that_is_gone_is_replaced_without_waiting() -> None:
    made = Alone(voters=(1, 2, 3), pace=Pace(election_ticks=10_000, rejoin_s=0.01))
    made.driver.start()
    made.driver.receive(Message(MessageType.HEARTBEAT, to=1, sender=2, term=2))
    async with asyncio.timeout(5):
        await made.driver.until(lambda view: view.leader == 2)
        made.driver.refused(3)
        assert made.driver.view.leader == 2
        made.driver.refused(2)
        await made.driver.until(lambda view: view.role is Role.PRE_CANDIDATE)
    made.driver.halt()
    await asyncio.gather(*made.tasks)


async def test_more_messages_than_fit_are_dropped() -> None:
    made = Alone(voters=(1, 2, 3), pace=Pace(inbox=3))
    for n in range(10):
        made.driver.receive(Message(MessageType.HEARTBEAT, to=1, sender=2, term=2 + n))
    made.driver.start()
    async with asyncio.timeout(5):
        await made.driver.until(lambda view: view.term == 4)
    made.driver.halt()
    await asyncio.gather(*made.tasks)
    assert made.driver.view.term == 4
