"""What an engine promises to the store's users; the Raft and etcd engines implement it.

Order that must hold: a commit is durable, then applied in memory, then handed to the listeners
(synchronously, whole, in revision order), and only then does `commit` return. So whoever awaited
a commit finds it in the cache.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from holdfast.control.store.commands import Change, Commit, Key, Result, Row

Listener = Callable[[Sequence[Change]], None]
"""Called inside apply with the changes of one commit, at most PART_WRITES_MAX of a batch.

Must not await or raise, and has ~10 µs a change: nobody else runs meanwhile."""

Reset = Callable[[Sequence[Row]], Awaitable[Callable[[], None]]]
"""Called when a received snapshot is about to take the place of everything, with its objects.

It may take its time; the function it returns is called at the moment when the engine's revision
and objects are the new ones. It must not raise, and has ~1 ms."""

PART_WRITES_MAX = 256
"""A batch with more writes, or with more bytes than PART_BYTES_MAX, is split into parts that
are commits of their own, in order; an atomic commit never is."""
PART_BYTES_MAX = 512 << 10


class EngineStatus(NamedTuple):
    """Figures for Cluster.Status and /metrics."""

    cluster_id: str
    revision: int
    floor: int
    term: int
    leader: bool
    objects: int
    database_bytes: int


class Engine(Protocol):
    """A store of keys with revisions. One task may use it at a time per method; all are safe
    to call concurrently."""

    async def start(self) -> None:
        """Load the image and replay the log. Raises StoreError for a corrupt or foreign one."""

    async def stop(self) -> None:
        """Flush what is queued and close. Commits still waiting fail as UNKNOWN_OUTCOME."""

    def listen(self, listener: Listener) -> None:
        """Add a listener. Before `start`: it is then told every loaded object as a change."""

    def on_reset(self, reset: Reset) -> None:
        """Have the objects told of a state that takes the place of everything at once."""

    async def commit(self, commit: Commit) -> Result:
        """Judge and apply. Raises StoreError (disk full, stopping); a refusal is a result."""

    async def barrier(self) -> int:
        """A revision that covers every commit acknowledged anywhere before this call."""

    def rows(self, resource: str) -> list[Row]:
        """The objects of a resource now, ordered by namespace and name."""

    def row(self, key: Key) -> Row | None:
        """One object now."""

    async def page(
        self, resource: str, namespace: str, revision: int, after: Key | None, limit: int
    ) -> list[Row]:
        """Objects as they were at a revision, ordered by key, after the key given. namespace ""
        = all. Raises Expired when the revision is below the floor."""

    async def history(self, after: int, limit: int) -> list[Change]:
        """Changes with revisions above `after`, in order. Raises Expired below the floor."""

    async def compact(self, floor: int) -> None:
        """Raise the floor: history below it may be dropped."""

    @property
    def revision(self) -> int:
        """The revision of what is in memory: all listeners have seen it."""

    def status(self) -> EngineStatus:
        """The figures now."""


class StoreError(Exception):
    """The store cannot serve: one sentence that says why and what to do."""


class NotLeaderError(StoreError):
    """Another member takes writes; nothing was written. endpoints: of its API, () = nobody leads
    at this moment."""

    def __init__(self, message: str, endpoints: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.endpoints = tuple(endpoints)


class UnknownOutcomeError(StoreError):
    """The commit may or may not have happened (stopping, or its id is older than the table)."""


class ExpiredError(StoreError):
    """The revision asked for is below the history floor."""


class DiskFullError(StoreError):
    """Nothing was written; commits work again once there is space."""


class FatalStoreError(StoreError):
    """What is on disk is corrupt, foreign or unknown: the process must end, nothing is retried."""
