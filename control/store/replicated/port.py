"""A member as its transport sees it: messages to the driver, snapshots to those who move them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import structlog

from holdfast.control.raft.messages import Message
from holdfast.control.raft.shell.driver import Driver
from holdfast.control.store.replicated.members import Membership
from holdfast.control.store.replicated.opening import Opened
from holdfast.control.store.replicated.receiving import Receiving
from holdfast.control.store.replicated.sending import Sending

log = structlog.get_logger()


class StorePort:
    """A Port on an open store. begin: runs a coroutine as a task of the engine."""

    def __init__(
        self, store: Opened, driver: Driver, membership: Membership, begin: Callable[..., object],
        failed: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        self.sending = Sending(store, begin)
        self.receiving = Receiving(store, driver.deliver_snapshot, failed)
        self.cluster_id = store.behind.image.cluster_id
        self.member = store.member
        self._driver = driver
        self._membership = membership
        self._begin = begin
        self._sent: dict[int, int] = {}  # by peer: the index of the snapshot under way to it

    def admits(self, member: int) -> bool:
        """See Port."""
        return member != self.member and not self._membership.removed(member)

    def receive(self, message: Message) -> None:
        """See Port."""
        self._driver.receive(message)

    def unreachable(self, member: int) -> None:
        """See Port."""
        self._driver.unreachable(member)

    def refused(self, member: int) -> None:
        """See Port."""
        self._driver.refused(member)

    def expelled(self) -> None:
        """See Port."""
        self._membership.expel()

    def snapshot_sent(self, member: int, done: bool) -> None:
        """See Port."""
        self._driver.snapshot_sent(member, done)
        index = self._sent.pop(member, None)
        if index is not None:
            self._begin(lambda: self.sending.release(index))

    def read_snapshot(self, message: Message) -> AsyncIterator[bytes]:
        """See Port."""
        assert message.snapshot
        self._sent[message.to] = message.snapshot.index
        log.info("sending a snapshot", to=f"{message.to:x}", index=message.snapshot.index)
        return self.sending.read(message)

    async def take_snapshot(self, message: Message, pieces: AsyncIterator[bytes]) -> None:
        """See Port."""
        await self.receiving.take(message, pieces, lambda: self._driver.awaits_snapshot)
