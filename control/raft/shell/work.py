"""What the core has handed out, each where it goes: to the log, to the state machine, to peers.

The driver's own: whoever stepped the core routes at once what is ready, and the jobs `write` and
`apply` take it from here when they are woken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from holdfast.control.raft.messages import LOCAL_APPEND, LOCAL_APPLY, Message, MessageType
from holdfast.control.raft.shell.appends import Appends
from holdfast.control.raft.shell.seams import Transport


class Work:
    """appends: to be made durable, replaced when what is not durable is forgotten. applies: to be
    applied."""

    def __init__(self, transport: Transport, appends: Appends) -> None:
        self.appends = appends
        self.applies: deque[Message] = deque()
        self.to_write = asyncio.Event()  # set by `route` and `apply`; `write` waits
        self.to_apply = asyncio.Event()  # set by `route`; `apply` waits
        self.applied = asyncio.Event()  # set when nothing is left to apply; `write` waits
        self.applied.set()
        self._transport = transport

    def route(self, messages: Sequence[Message]) -> None:
        """Put each where it goes; those to peers go now."""
        outgoing: list[Message] = []
        for message in messages:
            if message.to == LOCAL_APPEND:
                self.appends.add(message)
                self.to_write.set()
            elif message.to == LOCAL_APPLY:
                self.applies.append(message)
                self.applied.clear()
                self.to_apply.set()
            elif message.type is MessageType.SNAP:
                self._transport.send_snapshot(message)
            else:
                outgoing.append(message)
        if outgoing:
            self._transport.send(outgoing)
