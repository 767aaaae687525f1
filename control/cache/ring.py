"""The newest changes, in order, shared by all watchers: one ring, indexed by topic.

A reader has a cursor (a revision) and asks for what lies above it in its topic, so it pays for
its own changes and no others. The ring is whole above `base`; who is below reads history first.
Bounded in count and bytes, the oldest go first. Pure module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from holdfast.control.cache.events import Record
from holdfast.control.cache.indexes import NODE
from holdfast.control.cache.selections import Topic

RECORDS_MAX = 16_384
BYTES_MAX = 48 << 20


class Ring:
    """Records above `base` up to `revision`, whole commits at the new end."""

    def __init__(
        self, revision: int, records_max: int = RECORDS_MAX, bytes_max: int = BYTES_MAX
    ) -> None:
        """revision: where it begins: it holds nothing yet."""
        self.base = revision
        self.revision = revision
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._records: deque[Record] = deque()
        self._topics: dict[Topic, deque[Record]] = {}

    def add(self, commit: Sequence[Record]) -> dict[Topic, None]:
        """The records of one commit; the topics they are in."""
        touched: dict[Topic, None] = {}
        for record in commit:
            self._records.append(record)
            self._bytes += record.size
            for topic in topics(record):
                touched[topic] = None
                posting = self._topics.get(topic)
                if posting is None:
                    posting = self._topics[topic] = deque()
                posting.append(record)
        self.revision = commit[-1].end
        while len(self._records) > self._records_max or self._bytes > self._bytes_max:
            self._evict()
        return touched

    def _evict(self) -> None:
        record = self._records.popleft()
        self._bytes -= record.size
        self.base = record.revision
        for topic in topics(record):
            posting = self._topics[topic]
            posting.popleft()
            if not posting:
                del self._topics[topic]

    def read(self, topic: Topic, after: int, limit: int) -> tuple[list[Record], int]:
        """Records of a topic above a revision that is not below `base`: whole commits, about
        `limit` records; and the revision up to which the topic is then read."""
        found: list[Record] = []
        for record in reversed(self._topics.get(topic, ())):
            if record.revision <= after:
                break
            found.append(record)
        found.reverse()
        if len(found) <= limit:
            return found, self.revision
        end = found[limit - 1].end
        while limit < len(found) and found[limit].end == end:
            limit += 1
        return found[:limit], end


def topics(record: Record) -> list[Topic]:
    """The topics a record is in."""
    resource, namespace, _ = record.key
    found: list[Topic] = [(resource, "", "")]
    if namespace:
        found.append((resource, "namespace", namespace))
    if record.nodes:
        before, after = record.nodes
        found.append((resource, NODE, after))
        if before != after:
            found.append((resource, NODE, before))
    return found
