"""The watch hub against a naive twin: random commits, cuts, slowness, selectors and rings."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.api.selectors import parse_labels
from holdfast.control.cache import Batch, Event, EventType, Watcher
from tests.control.cache.fakes import Built, built, drop, on_node, pod, put

names = st.sampled_from("abc")
pods = st.builds(
    lambda name, node, app: put(pod(name, node=node, app=app)),
    names, st.sampled_from(("", "n1", "n2")), st.sampled_from(("web", "db")),
)  # fmt: skip
commits = st.lists(pods | names.map(drop), min_size=1, max_size=4)
# A step: a commit, or one watcher reads, or is cut and resumes where it was.
steps = st.lists(commits | st.tuples(st.sampled_from(("read", "cut")), st.integers(0, 3)))

SELECTIONS: list[dict[str, Any]] = [
    {},
    {"labels": parse_labels("app=web")},
    {"fields": on_node("n1")},
    {"latest_only": True, "labels": parse_labels("app=web")},
]


class Client:
    """What a watch's user knows: the objects, built from events alone."""

    def __init__(self, store: Built, selection: dict[str, Any]) -> None:
        self.store, self.selection = store, selection
        self.objects: dict[str, bytes] = {}
        self.revision = 0
        self.watch = self._open()

    def _open(self) -> Watcher:
        return self.store.hub.watch("pods", after=self.revision, **self.selection)

    def cut(self) -> None:
        self.watch.close()
        if not self.revision:
            self.objects.clear()
        self.watch = self._open()

    async def read(self) -> None:
        """One batch, if there is any; a batch that came is checked and applied."""
        try:
            async with asyncio.timeout(0.005):
                batch = await self.watch.next()
        except TimeoutError:
            return
        self.take(batch)

    def take(self, batch: Batch) -> None:
        revisions = [event.revision for event in batch.events if event.key]
        assert batch.revision == 0 or batch.revision >= self.revision, "never back"
        if self.revision:
            assert revisions == sorted(set(revisions)), "ordered and unique"
            assert not revisions or revisions[0] > self.revision, "nothing twice"
        for event in batch.events:
            self.apply(event)
        if batch.revision:
            self.revision = batch.revision

    def apply(self, event: Event) -> None:
        if event.key is None or event.data is None:
            return
        name = event.key.name
        if event.type == EventType.DELETED:
            assert self.objects.pop(name) is not None
        else:
            known = name in self.objects
            assert known == (event.type == EventType.MODIFIED), f"{event} of known={known}"
            self.objects[name] = event.data

    def expected(self) -> dict[str, bytes]:
        labels, fields = self.selection.get("labels"), self.selection.get("fields")
        return {
            entry.key.name: entry.data
            for entry in self.store.cache.list("pods")
            if (labels is None or labels.matches(entry.message.metadata.labels))
            and (fields is None or fields.matches(entry.message))
        }


async def run(path: Path, plan: list[Any], records_max: int) -> None:
    async with built(path, records_max=records_max, bookmark_s=0.004) as store:
        clients = [Client(store, selection) for selection in SELECTIONS]
        for step in plan:
            if isinstance(step, list):
                await store.commit(*step)
            elif step[0] == "cut":
                clients[step[1]].cut()
            else:
                await clients[step[1]].read()
        for client in clients:
            while client.revision < store.cache.revision or not client.revision:
                before = client.revision
                await client.read()
                if client.revision == before == store.cache.revision == 0:
                    break
            assert client.objects == client.expected()


@settings(max_examples=15, deadline=None)
@given(steps, st.sampled_from((1, 3, 100)))
def test_every_client_ends_with_the_state(plan: list[Any], records_max: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), plan, records_max))
