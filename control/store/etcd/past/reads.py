"""Reads of the store as it was: pages at old revisions and history, and what no longer can be read.

Either the store's own floor has risen above it, or another program has compacted etcd.
"""

from __future__ import annotations

from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.engine import ExpiredError, StoreError
from holdfast.control.store.etcd import reading
from holdfast.control.store.etcd.connection import CompactedError, Connection
from holdfast.control.store.etcd.folding import ForeignError
from holdfast.control.store.etcd.past.histories import Histories
from holdfast.control.store.etcd.replica import Replica
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.target import Target
from holdfast.control.store.etcd.watching import FloorError


class Past:
    """Of one engine."""

    def __init__(
        self, connection: Connection, target: Target, layout: Layout, replica: Replica,
        histories: Histories,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._target = target
        self._layout = layout
        self._replica = replica
        self._histories = histories

    async def page(
        self, where: tuple[str, str], revision: int, after: Key | None, limit: int
    ) -> list[Row]:
        """See Engine.page. where: resource and namespace."""
        replica = self._replica
        self._check_floor(revision)
        if revision > replica.image.revision:
            raise StoreError(f"revision {revision} is not reached yet")
        if revision < replica.revisions.of(replica.created):
            return []
        try:
            return await reading.page(
                self._connection, self._layout, replica.revisions, where, revision, after, limit
            )
        except (CompactedError, FloorError) as error:
            raise _expired(revision) from error
        except ForeignError as error:
            raise StoreError(f"{self._target}: {error}") from error

    async def history(self, after: int, limit: int) -> list[Change]:
        """See Engine.history."""
        self._check_floor(after)
        try:
            return await self._histories.read(after, limit)
        except FloorError as error:
            raise _expired(after) from error
        except ForeignError as error:
            raise StoreError(f"{self._target}: {error}") from error

    def _check_floor(self, revision: int) -> None:
        floor = self._replica.image.floor
        if revision < floor:
            raise ExpiredError(f"revision {revision} is too old: history is kept from {floor}")


def _expired(revision: int) -> ExpiredError:
    return ExpiredError(f"revision {revision} is too old: etcd was compacted behind it")
