"""What waits for the disk: STORAGE_APPEND messages, merged into batches.

Messages keep their order. Of two that follow each other the later one's entries replace those of
the earlier one from its first index on, as the log itself does; a snapshot starts a batch of its
own, because it replaces everything before it. Pure module.
"""

from __future__ import annotations

from collections import deque

from holdfast.control.raft.messages import LOCAL_APPEND, HardState, Message
from holdfast.control.raft.shell.seams import Batch


class Appends:
    """Messages in the order the core gave them."""

    def __init__(self, batch_bytes: int, hard_state: HardState) -> None:
        """batch_bytes: bound of one batch; hard_state: what is durable."""
        self._messages: deque[tuple[Message, bool]] = deque()  # with: somebody waits for it
        self._batch_bytes = batch_bytes
        self._last = hard_state
        self._urgent = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def urgent(self) -> bool:
        """Somebody waits for what is here. Otherwise it is at most a higher commit index, which
        need not be durable and can ride with what comes next."""
        return self._urgent > 0

    def add(self, message: Message) -> None:
        """One more message."""
        # What the disk itself answers repeats, in the same term, an answer that is on its way.
        peers = any(one.sender != LOCAL_APPEND for one in message.responses)
        urgent = bool(message.entries or message.snapshot or peers)
        if _has_state(message):
            urgent = urgent or (message.term, message.vote) != self._last[:2]
            self._last = HardState(message.term, message.vote, message.commit)
        self._messages.append((message, urgent))
        self._urgent += urgent

    def take(self) -> Batch:
        """The next batch; empty when nothing waits."""
        batch, size = Batch(), 0
        while self._messages:
            message, urgent = self._messages[0]
            size += sum(len(entry.data) for entry in message.entries)
            begun = bool(batch.entries or batch.snapshot or batch.responses)
            if begun and (message.snapshot or size > self._batch_bytes):
                break
            self._messages.popleft()
            self._urgent -= urgent
            _merge(batch, message)
        return batch


def _merge(batch: Batch, message: Message) -> None:
    if _has_state(message):
        batch.hard_state = HardState(message.term, message.vote, message.commit)
    if message.snapshot:
        batch.snapshot = message.snapshot
    if message.entries:
        first = message.entries[0].index
        if batch.entries and first <= batch.entries[-1].index:
            del batch.entries[max(0, first - batch.entries[0].index) :]
        batch.entries += message.entries
    batch.responses += message.responses


def _has_state(message: Message) -> bool:
    return bool(message.term or message.vote or message.commit)
