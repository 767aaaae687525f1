"""`holdfast store migrate` between a data directory and a real etcd, there and back."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from holdfast.control.access.ca import open_authority
from holdfast.control.group import marker
from holdfast.control.group.marker import Marker
from holdfast.control.store.commands import ABSENT, Row
from holdfast.control.store.engine import Engine, ExpiredError, StoreError
from holdfast.control.store.etcd.controls import look
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.importing import make_store
from holdfast.control.store.etcd.stored.revisions import GAP
from holdfast.control.store.etcd.target import parse
from holdfast.control.store.raft_engine import RaftEngine
from tests.control.store.conformance import PODS, Told, batch, drop, key, put
from tests.integration.store.etcd_servers import EtcdServers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_prefixes = (f"moved-{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServers]:
    servers = EtcdServers(tmp_path_factory.mktemp("etcd"))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def address(servers: EtcdServers) -> str:
    return f"etcd://{servers.hosts}/{next(_prefixes)}"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A control node's, with the cluster's authority."""
    open_authority(tmp_path / "control", time.time, Random(1))
    return tmp_path


async def migrate(source: object, target: object) -> tuple[int, str]:
    """The command line; its exit code and what it said."""
    program = (sys.executable, "-m", "holdfast.cli.main", "store", "migrate")
    process = await asyncio.create_subprocess_exec(
        *program, "--from", str(source), "--to", str(target),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def filled(engine: Engine) -> tuple[list[Row], int, str]:
    """Start, write, stop: its objects, its revision, its cluster."""
    await engine.start()
    await engine.commit(batch(*(put(f"p{n:03}", b"%d" % n) for n in range(300))))
    await engine.commit(batch(drop("p000"), put("p001", b"again"), put("n", namespace="")))
    found = engine.rows(PODS), engine.revision, engine.status().cluster_id
    await engine.stop()
    return found


async def check_moved(engine: Engine, rows: list[Row], revision: int, old_id: str) -> None:
    """The objects are the same, the history is another cluster's."""
    told = Told()
    engine.listen(told)
    await engine.start()
    try:
        status = engine.status()
        assert engine.rows(PODS) == rows
        assert {change.key for change in told.changes} == {row.key for row in rows}
        assert status.cluster_id not in ("", old_id)
        assert status.floor == engine.revision >= revision + GAP
        with pytest.raises(ExpiredError):
            await engine.history(revision, 10)
        assert await engine.history(status.floor, 10) == []
        assert await engine.page(PODS, "", status.floor, None, 1000) == rows
        p001 = next(row for row in rows if row.key.name == "p001")
        result = await engine.commit(batch(put("p001", b"new", p001.revision)))
        (change,) = await engine.history(status.floor, 10)
        assert change.revision == result.outcomes[0].revision > status.floor
        assert (change.previous, change.replaced) == (p001.value, p001.revision)
        assert change.created == p001.created
        await engine.commit(batch(drop("p001")))
        assert engine.row(key("p001")) is None
    finally:
        await engine.stop()


async def test_there_and_back(data_dir: Path, address: str, tmp_path: Path) -> None:
    control = data_dir / "control"
    raft = RaftEngine(control, secrets.randbelow, cluster_id="old")
    rows, revision, old_id = await filled(raft)
    code, said = await migrate(data_dir, address)
    assert (code, said.splitlines()[0]) == (
        0, f"moved {len(rows)} objects at revision {revision} to {parse(address)}",
    )  # fmt: skip
    await check_moved(EtcdEngine(parse(address), new_cluster_id=""), rows, revision, old_id)
    assert marker.on_etcd(control) == Marker((await look(parse(address))).cluster_id)
    with pytest.raises(StoreError, match="whose state is on an etcd"):
        marker.check_own_store(control)

    back = EtcdEngine(parse(address), new_cluster_id="")
    await back.start()
    await back.commit(batch(put("p001")))
    rows, revision, old_id = back.rows(PODS), back.revision, back.status().cluster_id
    await back.stop()
    code, said = await migrate(address, data_dir)
    assert code == 1
    assert "there is a store in" in said
    for file in control.glob("store.db*"):
        file.unlink()
    code, said = await migrate(address, data_dir)
    assert code == 0, said
    marker.check_own_store(control)
    await check_moved(RaftEngine(control, secrets.randbelow), rows, revision, old_id)


async def test_refusals(data_dir: Path, address: str, tmp_path: Path) -> None:
    control, empty = data_dir / "control", tmp_path / "empty"
    engine = EtcdEngine(parse(address), new_cluster_id="test")
    await engine.start()
    for source, target, told in (
        (address, data_dir, "a control node works on etcd at"),
        (data_dir, address, f"there is no store in {control}"),
        (address, empty, f"{empty} holds no cluster authority"),
        (data_dir, control, "both are data directories"),
        (address, address, "source and target are the same"),
        (f"{address}-none", data_dir, "holds no cluster below"),
        ("etcd://", data_dir, "no host is given"),
    ):
        code, said = await migrate(source, target)
        assert (code, said.count("\n")) == (1, 1), said
        assert told in said
    await engine.stop()
    raft = RaftEngine(control, secrets.randbelow, cluster_id="old")
    await filled(raft)
    code, said = await migrate(data_dir, address)
    assert code == 1
    assert "has keys below" in said


async def test_a_move_that_did_not_end_is_not_started_on(address: str) -> None:
    def rows() -> Iterator[Row]:
        yield from (Row(key(f"n{n}"), b"v", n + 1, n + 1) for n in range(200))
        raise StoreError("the source broke")

    with pytest.raises(StoreError, match="the source broke"):
        await make_store(parse(address), "half", 200, rows())
    with pytest.raises(StoreError, match="whose move did not end"):
        await EtcdEngine(parse(address), new_cluster_id="x").start()
    with pytest.raises(StoreError, match="has keys below"):
        await make_store(parse(address), "again", 0, ())


async def test_an_empty_cluster_moves_too(address: str) -> None:
    assert await make_store(parse(address), "none", 7, ()) >= (0, 7 + GAP)
    engine = EtcdEngine(parse(address), new_cluster_id="")
    await engine.start()
    assert engine.rows(PODS) == []
    ((made,), _) = await engine.commit(batch(put("a", expect=ABSENT)))
    assert made.revision > engine.status().floor
    await engine.stop()
