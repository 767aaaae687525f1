"""The etcd engine when things die: its leader, etcd's members, the connections in between."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import ABSENT, Commit, Key, Refusal, Result, Row, Write
from holdfast.control.store.engine import (
    DiskFullError,
    NotLeaderError,
    StoreError,
    UnknownOutcomeError,
)
from holdfast.control.store.etcd.connection import Connection
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.stored.revisions import CHANGES_MAX
from holdfast.control.store.etcd.target import parse
from tests.control.store.conformance import PODS, Told, batch, drop, put
from tests.integration.store.etcd_servers import EtcdServers

pytestmark = pytest.mark.integration

FAILOVER_S = 6.0


@pytest.fixture
def one(tmp_path: Path) -> Iterator[EtcdServers]:
    """An etcd of one member."""
    yield from _running(EtcdServers(tmp_path / "etcd"))


@pytest.fixture
def three(tmp_path: Path) -> Iterator[EtcdServers]:
    """An etcd of three members."""
    yield from _running(EtcdServers(tmp_path / "etcd", 3))


def _running(servers: EtcdServers) -> Iterator[EtcdServers]:
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


class Node:
    """A process of `etcd_workload` and the lines it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[tuple[float, list[str]]] = []
        self._told = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            async with self._told:
                self.said.append((time.monotonic(), line.decode().split()))
                self._told.notify_all()

    def count(self, word: str) -> int:
        return sum(words[0] == word for _, words in self.said)

    async def until(self, word: str, count: int = 1, timeout_s: float = 20.0) -> float:
        """Wait until it said a word so often; when that was."""
        async with asyncio.timeout(timeout_s), self._told:
            await self._told.wait_for(lambda: self.count(word) >= count)
        return [at for at, words in self.said if words[0] == word][count - 1]

    def acknowledged(self) -> dict[str, int]:
        """The objects it said were written, with their revisions."""
        return {words[1]: int(words[2]) for _, words in self.said if words[0] == "wrote"}

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading


@asynccontextmanager
async def node(address: str, name: str) -> AsyncIterator[Node]:
    program = (sys.executable, "-m", "tests.integration.store.etcd_workload", address, name)
    process = await asyncio.create_subprocess_exec(
        *program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    found = Node(process)
    try:
        yield found
    finally:
        await found.kill()


@asynccontextmanager
async def started(address: str, name: str = "control-1") -> AsyncIterator[EtcdEngine]:
    engine = EtcdEngine(parse(address), new_cluster_id="test", name=name, endpoints=(f"{name}:1",))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def check(engine: EtcdEngine, *nodes: Node) -> None:
    """Everything that was acknowledged is there, under the revision that was told."""
    found = {row.key.name: row.revision for row in engine.rows(PODS)}
    for each in nodes:
        acknowledged = each.acknowledged()
        assert acknowledged
        assert {name: found.get(name) for name in acknowledged} == acknowledged


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_leads_when_the_leader_is_gone(
    one: EtcdServers, number: signal.Signals
) -> None:
    address = f"etcd://{one.hosts}"
    async with node(address, "a") as first:
        await first.until("wrote", 50)
        async with node(address, "b") as second:
            await second.until("started")
            gone = time.monotonic()
            first.process.send_signal(number)
            led = await second.until("wrote")
            assert led - gone <= FAILOVER_S
            await second.until("wrote", 50)
            if number == signal.SIGSTOP:
                first.process.send_signal(signal.SIGCONT)
                await first.until("lost")
            await first.kill()
            await second.kill()
            async with started(address, "c") as engine:
                check(engine, first, second)


async def test_writes_go_on_when_members_of_etcd_die(three: EtcdServers) -> None:
    address = f"etcd://{three.hosts}"
    async with node(address, "a") as writer:
        await writer.until("wrote", 50)
        for number, member in zip((signal.SIGKILL, signal.SIGSTOP), three.members, strict=False):
            before = time.monotonic()
            member.signal(number)
            await writer.until("wrote", writer.count("wrote") + 200)
            times = [before] + [at for at, words in writer.said if words[0] == "wrote"]
            gaps = [late - early for early, late in itertools.pairwise(sorted(times))]
            assert max(gaps) <= FAILOVER_S
            if number == signal.SIGKILL:
                member.kill()
                member.start()
                member.ready()
            else:
                member.signal(signal.SIGCONT)
            await writer.until("wrote", writer.count("wrote") + 50)
        await writer.kill()
        async with started(address, "c") as engine:
            check(engine, writer)


async def test_a_pause_of_etcd_is_waited_out(one: EtcdServers) -> None:
    async with started(f"etcd://{one.hosts}") as engine:
        leads = asyncio.Event()
        leads.set()
        engine.watch(lambda standing: leads.set() if standing.leads else leads.clear())
        await engine.commit(batch(put("before")))
        one.members[0].signal(signal.SIGSTOP)
        waiting = asyncio.create_task(engine.commit(batch(put("during"))))
        with pytest.raises(StoreError, match="does not"):
            await engine.barrier()
        one.members[0].signal(signal.SIGCONT)
        outcomes = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(outcomes[0], Result | UnknownOutcomeError)
        async with asyncio.timeout(FAILOVER_S):
            await leads.wait()  # its lease may have ended meanwhile
        await engine.commit(batch(put("after")))
        names = {row.key.name for row in engine.rows(PODS)}
        assert {"before", "after"} <= names
        assert "during" in names or isinstance(outcomes[0], UnknownOutcomeError)


async def test_nothing_is_lost_when_all_of_etcd_dies(three: EtcdServers) -> None:
    address = f"etcd://{three.hosts}"
    async with node(address, "a") as writer:
        await writer.until("wrote", 100)
        three.stop()
        three.start()
        await writer.until("wrote", writer.count("wrote") + 50)
        await writer.kill()
        async with started(address, "c") as engine:
            check(engine, writer)


class Proxy:
    """A door to one member that can be slammed: all connections end, answers under way are lost."""

    def __init__(self, host: str) -> None:
        self._target = host.split(":")
        self._pairs: list[asyncio.StreamWriter] = []
        self.losing = b""
        """The connection ends instead of an answer that has these bytes in it."""

    async def open(self, port: int = 0) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        away_reader, away = await asyncio.open_connection(*self._target)
        self._pairs += (writer, away)
        await asyncio.gather(self._pump(reader, away), self._pump(away_reader, writer, True))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool = False
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if answers and self.losing and self.losing in data:
                    self.losing = b""
                    self.slam()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def slam(self) -> None:
        pairs, self._pairs = self._pairs, []
        for writer in pairs:
            writer.transport.abort()

    async def close(self) -> None:
        self._server.close()
        self.slam()
        await self._server.wait_closed()


async def test_lost_answers_are_settled_and_happen_once(one: EtcdServers) -> None:
    proxy = Proxy(one.hosts)
    address = await proxy.open()
    outcomes: dict[str, int] = {}
    heard: list[int] = []

    async def write_on(engine: EtcdEngine, name: str) -> None:
        for number in range(60):
            key = Key(PODS, "", f"{name}-{number}")
            commit = Commit(key.name.encode(), (Write(key, b"v", ABSENT),))
            while key.name not in outcomes:
                try:
                    result = await engine.commit(commit)
                except (NotLeaderError, UnknownOutcomeError):
                    await asyncio.sleep(0.05)
                else:
                    assert result.outcomes[0].refusal is None, "it was made twice"
                    outcomes[key.name] = result.revision

    async def slam_on() -> None:
        while True:
            await asyncio.sleep(0.11)
            proxy.slam()

    engine = EtcdEngine(parse(f"etcd://{address}"), new_cluster_id="test")
    engine.listen(lambda changes: heard.extend(change.revision for change in changes))
    await engine.start()
    try:
        slamming = asyncio.create_task(slam_on())
        await asyncio.gather(*(write_on(engine, f"w{n}") for n in range(4)))
        slamming.cancel()
    finally:
        await engine.stop()
        await proxy.close()
    assert heard == sorted(set(heard))
    async with started(f"etcd://{one.hosts}", "c") as after:
        found = {row.key.name: row.revision for row in after.rows(PODS)}
        assert found == outcomes
        changes = await after.history(0, 10_000)
        assert len(changes) == len(found), "one creation each"
        assert [change.revision for change in changes if change.revision in set(heard)] == heard


async def test_an_answer_that_is_lost_is_found_out(one: EtcdServers) -> None:
    proxy = Proxy(one.hosts)
    engine = EtcdEngine(parse(f"etcd://{await proxy.open()}"), new_cluster_id="test")
    await engine.start()
    try:
        term = engine.status().term
        for n in range(10):
            # The watch's event comes before the transaction's own answer: both are lost.
            proxy.losing = b"[lose %d]" % n
            write = put(f"n{n}", proxy.losing, ABSENT)
            ((made,), _) = await engine.commit(batch(write))
            assert proxy.losing == b""
            row = engine.row(write.key)
            assert row is not None
            assert made == (row.revision, None, 0)
        assert engine.status().term == term
        assert len(await engine.history(0, 100)) == 10
    finally:
        await engine.stop()
        await proxy.close()


async def test_a_full_etcd_is_told_and_nothing_is_half_done(tmp_path: Path) -> None:
    servers = EtcdServers(tmp_path / "etcd")
    try:
        servers.start(flags=("--quota-backend-bytes", str(12 << 20)))
        async with started(f"etcd://{servers.hosts}") as engine:
            done = 0
            with pytest.raises(DiskFullError, match="is full: raise its quota or compact"):
                for done in range(100):
                    await engine.commit(batch(put(f"n{done}", bytes(1 << 20))))
            assert done > 3
            with pytest.raises(DiskFullError):
                await engine.commit(batch(put("more")))
            assert await engine.barrier() == engine.revision
            assert {row.key.name for row in engine.rows(PODS)} >= {f"n{n}" for n in range(done)}
            ((refused,), _) = await engine.commit(batch(put("n0", expect=ABSENT)))
            assert refused.refusal == Refusal.EXISTS
    finally:
        servers.stop()


async def test_a_follower_that_missed_too_much_is_filled_anew(one: EtcdServers) -> None:
    proxy, told, filled = Proxy(one.hosts), Told(), asyncio.Event()
    address = await proxy.open()
    rows: list[Row] = []

    async def reset(found: Sequence[Row]) -> Callable[[], None]:
        rows.extend(found)
        return filled.set

    async with started(f"etcd://{one.hosts}") as leader:
        await leader.commit(batch(put("a"), put("gone")))
        follower = EtcdEngine(parse(f"etcd://{address}"), new_cluster_id="", name="b")
        follower.listen(told)
        follower.on_reset(reset)
        await follower.start()
        await proxy.close()
        for n in range(5):
            await leader.commit(batch(put("a", b"%d" % n), put(f"n{n}")))
        await leader.commit(batch(drop("gone")))
        end = leader.revision
        await leader.compact(end)
        connection = Connection(parse(f"etcd://{one.hosts}"))
        compact = etcd.CompactionRequest(revision=end // CHANGES_MAX)
        await connection.call(lambda member: member.kv.Compact, compact)
        await connection.close()
        try:
            await proxy.open(int(address.split(":")[1]))
            async with asyncio.timeout(10):
                await filled.wait()
            assert follower.rows(PODS) == leader.rows(PODS)
            assert sorted(rows) == sorted(follower.rows(PODS))
            assert (follower.revision, follower.status().floor) == (end, end)
            assert {change.key.name for change in told.changes} == {"a", "gone"}
            assert await follower.history(end, 10) == []
            await leader.commit(batch(put("after")))
            assert await follower.barrier() == leader.revision
            assert [change.key.name for change in await follower.history(end, 10)] == ["after"]
        finally:
            await follower.stop()
            await proxy.close()
