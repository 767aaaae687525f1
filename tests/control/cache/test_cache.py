"""The cache: lookups, order, indexes, listeners, and that nobody changes what is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from secrets import randbelow

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.discovery.v1 import discovery_pb2
from holdfast.control.cache import Cache, Entry, EventType, Update
from holdfast.control.cache.tables import Table
from holdfast.control.store.commands import ANY, Key, Write
from holdfast.control.store.raft_engine import RaftEngine
from tests.control.cache.fakes import Built, built, drop, pod, put


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Built]:
    async with built(tmp_path) as made:
        yield made


async def test_an_entry_is_the_object_at_its_revision(store: Built) -> None:
    ((made,), _) = await store.commit(put(pod("a")))
    ((changed,), _) = await store.commit(put(pod("a", node="n1")))
    entry = store.cache.get("pods", "default", "a")
    assert entry is not None
    assert (entry.revision, entry.created) == (changed.revision, made.revision)
    assert entry.message.spec.nodeName == "n1"
    wire = core.Pod.FromString(entry.wire)
    assert wire.metadata.resourceVersion == str(changed.revision)
    assert wire.metadata.name == "a"
    assert store.cache.revision == changed.revision
    await store.commit(drop("a"))
    assert store.cache.get("pods", "default", "a") is None
    assert store.cache.get("pods", "elsewhere", "a") is None
    assert store.cache.get("nodes", "", "a") is None


async def test_it_counts_the_changes(store: Built) -> None:
    """What was loaded too; refusals not."""
    before = store.cache.changes
    await store.commit(put(pod("a")), put(pod("b")), drop("none"))
    await store.commit(drop("a"))
    assert store.cache.changes == before + 3


async def test_lists_are_ordered_and_paged(store: Built) -> None:
    names = [("b", "x"), ("a", "z"), ("c", "a"), ("a", "b"), ("b", "a")]
    await store.commit(*(put(pod(name), namespace=space) for space, name in names))
    entries = store.cache.list("pods")
    assert [entry.key[1:] for entry in entries] == sorted(names)
    assert [entry.key.name for entry in store.cache.list("pods", "b")] == ["a", "x"]
    assert (store.cache.count("pods"), store.cache.count("pods", "a")) == (5, 2)
    paged: list[Entry] = []
    while page := store.cache.list("pods", after=paged[-1].key if paged else None, limit=2):
        paged += page
    assert paged == entries
    assert store.cache.list("pods", "b", after=Key("pods", "b", "a")) == entries[3:4]
    assert store.cache.list("services") == []


async def test_indexes_follow_their_values(store: Built) -> None:
    cache = store.cache

    def named(index: str, value: str) -> list[str]:
        return sorted(entry.key.name for entry in cache.by_index("pods", index, value))

    await store.commit(put(pod("a", owner="u1")), put(pod("b", owner="u1", node="n1")))
    assert named("owner", "u1") == ["a", "b"]
    assert named("owner", "other") == []
    assert named("spec.nodeName", "n1") == ["b"]
    await store.commit(put(pod("a", node="n1")), put(pod("b", node="n2", owner="u1")))
    assert (named("spec.nodeName", "n1"), named("spec.nodeName", "n2")) == (["a"], ["b"])
    assert named("owner", "u1") == ["b"]
    await store.commit(drop("b"))
    assert (named("owner", "u1"), named("spec.nodeName", "n2")) == ([], [])
    assert named("namespace", "default") == ["a"]
    with pytest.raises(KeyError):
        cache.by_index("nodes", "spec.nodeName", "n1")


async def test_indexes_of_slices_and_events(store: Built) -> None:
    piece = discovery_pb2.EndpointSlice()
    piece.metadata.name, piece.metadata.namespace = "web-1", "default"
    piece.metadata.labels["kubernetes.io/service-name"] = "web"
    event = core.Event()
    event.metadata.name = "e"
    event.involvedObject.uid = "u1"
    resource = "endpointslices.discovery.k8s.io"
    await store.commit(put(piece, resource=resource), put(event, resource="events"))
    assert len(store.cache.by_index(resource, "service", "default/web")) == 1
    assert len(store.cache.by_index("events", "involved", "u1")) == 1


async def test_listeners_hear_each_commit_once(store: Built) -> None:
    heard: list[list[Update]] = []
    store.cache.subscribe("pods", heard.append)
    await store.commit(put(pod("a")), put(pod("n"), resource="services"), put(pod("b")))
    await store.commit(put(pod("a", node="n1")))
    await store.commit(drop("a"))
    await store.commit(put(pod("x"), resource="services"))
    assert [[update.type for update in updates] for updates in heard] == [
        [EventType.ADDED, EventType.ADDED],
        [EventType.MODIFIED],
        [EventType.DELETED],
    ]
    ((modified,), (deleted,)) = heard[1:]
    assert modified.old is heard[0][0].new
    assert deleted.old is modified.new
    assert deleted.new is None


async def test_own_rows_stay_bytes(store: Built) -> None:
    await store.commit(Write(Key("~tokens", "", "t"), b"\xff\x00", ANY))
    entry = store.cache.get("~tokens", "", "t")
    assert entry is not None
    assert (entry.message, entry.wire) == (None, b"\xff\x00")


async def test_a_restart_fills_it_again(tmp_path: Path) -> None:
    async with built(tmp_path) as store:
        await store.commit(*(put(pod(f"p{n}", node="n1")) for n in range(600)))
        await store.commit(drop("p0"), put(pod("p1", node="n2")))
        before = [(entry.key, entry.revision, entry.data) for entry in store.cache.list("pods")]
        revision = store.cache.revision
    engine = RaftEngine(tmp_path, randbelow)
    cache = Cache(engine)
    await engine.start()
    after = [(entry.key, entry.revision, entry.data) for entry in cache.list("pods")]
    assert (after, cache.revision) == (before, revision)
    assert len(cache.by_index("pods", "spec.nodeName", "n1")) == 598
    await engine.stop()


async def test_a_changed_message_is_found_out(tmp_path: Path) -> None:
    async with built(tmp_path) as store:
        await store.commit(put(pod("a")))
        entry = store.cache.get("pods", "default", "a")
        assert entry is not None
        store.cache.verify()
        assert entry.message.metadata.labels["missing"] == ""
        with pytest.raises(AssertionError, match=r"pods/default/a.*copy a message"):
            store.cache.verify()
        del entry.message.metadata.labels["missing"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans())))
def test_a_table_is_a_sorted_dictionary(steps: list[tuple[str, str, bool]]) -> None:
    table, model = Table("services"), dict[Key, Entry]()
    for revision, (space, name, there) in enumerate(steps):
        key = Key("services", space, name)
        if there:
            entry = Entry(key, revision, revision, None, b"")
            assert table.put(entry) is model.get(key)
            model[key] = entry
        else:
            assert table.remove(key) is model.pop(key, None)
        ordered = [model[one] for one in sorted(model)]
        assert list(table.entries("")) == ordered
        for after in model:
            later = [entry for entry in ordered if entry.key > after]
            assert list(table.entries("", after)) == later
            inside = [entry for entry in later if entry.key.namespace == "b"]
            assert list(table.entries("b", after)) == inside
