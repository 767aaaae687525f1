"""Reading all objects at one revision while writes go on, and the store made from them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.store.backup.slices import (
    SLICE_BYTES,
    SLICE_ROWS_MAX,
    next_limit,
    slices,
)
from holdfast.control.store.backup.writing import GAP, make_store
from holdfast.control.store.commands import ANY, Commit, Key, Row, Write
from holdfast.control.store.engine import Engine, ExpiredError, StoreError
from holdfast.control.store.replicated.opening import Founding
from tests.control.registry.world import World, world

FOUNDING = Founding("test", 5, (5,))  # the id that `world` opens
ROW = Row(Key("pods", "default", "a"), b"v", 3, 2)


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "data") as made:
        yield made


def put(name: str, value: bytes = b"v", resource: str = "~pods") -> Write:
    return Write(Key(resource, "default", name), value, ANY)


async def commit(engine: Engine, *writes: Write) -> int:
    return (await engine.commit(Commit(b"", writes))).revision


async def read(engine: Engine, revision: int, *resources: str) -> list[Row]:
    return [row async for _, rows in slices(engine, revision, resources) for row in rows]


async def test_all_objects_at_a_revision_whatever_is_written_meanwhile(there: World) -> None:
    engine = there.engine
    revision = await commit(engine, *(put(f"pod-{n:04}") for n in range(500)))
    before = engine.rows("~pods")
    found: list[Row] = []
    async for _, rows in slices(engine, revision, ["~pods"]):
        found += rows
        gone = Write(Key("~pods", "default", f"pod-{499 - len(found) % 400:04}"), None, ANY)
        await commit(engine, gone, put(f"new-{len(found)}"), put("pod-0400", b"changed"))
    assert found == before
    assert engine.rows("~pods") != before


async def test_one_resource_after_the_other(there: World) -> None:
    writes = [put(f"{n}", resource=resource) for resource in ("~a", "~b", "~c") for n in range(40)]
    revision = await commit(there.engine, *writes)
    found = await read(there.engine, revision, "~a", "~b", "~c", "~none")
    assert found == [row for name in ("~a", "~b", "~c") for row in there.engine.rows(name)]


async def test_a_reader_slower_than_history_is_kept_is_told(there: World) -> None:
    engine = there.engine
    revision = await commit(engine, *(put(f"{n:03}") for n in range(100)))
    reading = slices(engine, revision, ["~pods"])
    await anext(reading)
    await commit(engine, put("000", b"later"))
    await engine.compact(engine.revision)
    with pytest.raises(ExpiredError):
        await anext(reading)


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=40))
def test_slices_are_bounded(sizes: list[int]) -> None:
    blob = bytes(max(sizes))
    limit = next_limit([ROW._replace(value=blob[:size]) for size in sizes])
    assert 1 <= limit <= SLICE_ROWS_MAX
    assert limit == 1 or limit * (sum(sizes) // len(sizes)) <= SLICE_BYTES


async def test_a_store_made_from_rows_is_a_new_cluster(tmp_path: Path) -> None:
    rows = [
        ROW._replace(key=Key("~pods", "default", f"{n:04}"), revision=n + 5) for n in range(3000)
    ]
    made = tmp_path / "made"
    made.mkdir()
    count, new = make_store(made, FOUNDING, 9_000, [rows[:1000], rows[1000:]])
    assert (count, new) == (3000, 9_000 + GAP)
    async with world(made, booted=False) as there:
        engine = there.engine
        assert engine.rows("~pods") == rows
        assert engine.status().cluster_id == "test"
        assert engine.status().floor == new == engine.revision
        for old in (0, 8_999, 9_000, 9_500, new - 1):
            with pytest.raises(ExpiredError):
                await engine.history(old, 10)
            with pytest.raises(ExpiredError):
                await engine.page("~pods", "", old, None, 10)
        assert await engine.page("~pods", "", new, None, 5000) == rows
        assert await commit(engine, put("more")) > new
    async with world(made, booted=False) as there:
        assert len(there.engine.rows("~pods")) == 3001


async def test_rows_of_one_revision_get_one_each(tmp_path: Path) -> None:
    """An engine may give the writes of one commit one revision."""
    made = tmp_path / "made"
    made.mkdir()
    keys = [Key(resource, "", name) for resource in ("pods.x", "~ips") for name in "ab"]
    rows = [Row(key, b"v", 7, 7) for key in keys]
    make_store(made, FOUNDING, 7, [rows])
    async with world(made, booted=False) as there:
        assert there.engine.rows("pods.x")[0] == rows[0]
        found = [*there.engine.rows("pods.x"), *there.engine.rows("~ips")]
        assert [row.key for row in found] == keys
        assert len({row.revision for row in found}) == 4
        assert max(row.revision for row in found) < 7 + GAP


def test_a_failing_source_is_passed_on(tmp_path: Path) -> None:
    def broken() -> list[list[Row]]:
        raise StoreError("nothing comes")

    with pytest.raises(StoreError, match="nothing comes"):
        make_store(tmp_path, FOUNDING, 7, (rows for _ in "x" for rows in broken()))
