"""The local end of `exec -it`: raw mode, size changes, and standard input as frames."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Iterator

from holdfast.api.rpc.v1 import sessions_pb2

READ_BYTES = 32 << 10
WAITING_MAX = 16


@contextlib.contextmanager
def raw() -> Iterator[None]:
    """Keys go to the container unchanged, Ctrl-C too; the terminal is as before at the end."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def frames(*, stdin: bool, resizes: bool) -> AsyncIterator[sessions_pb2.Frame]:
    """Standard input (at its end one frame that says so) and each new size of the terminal."""
    queue: asyncio.Queue[sessions_pb2.Frame | None] = asyncio.Queue(WAITING_MAX)
    loop = asyncio.get_running_loop()
    if resizes:
        queue.put_nowait(_size())
        loop.add_signal_handler(signal.SIGWINCH, lambda: _offer(queue))
    reading = asyncio.create_task(_read(queue)) if stdin else None
    try:
        while (frame := await queue.get()) is not None:
            yield frame
    finally:
        if reading is not None:
            reading.cancel()
        if resizes:
            loop.remove_signal_handler(signal.SIGWINCH)


def _offer(queue: asyncio.Queue[sessions_pb2.Frame | None]) -> None:
    """A size that finds the queue full is dropped: the next one says the same."""
    with contextlib.suppress(asyncio.QueueFull):
        queue.put_nowait(_size())


def _size() -> sessions_pb2.Frame:
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    return sessions_pb2.Frame(resize=sessions_pb2.TerminalSize(columns=columns, rows=rows))


async def _read(queue: asyncio.Queue[sessions_pb2.Frame | None]) -> None:
    descriptor = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()  # the loop sets it, this task waits
    try:
        loop.add_reader(descriptor, readable.set)
        polled = True
    except PermissionError:
        polled = False  # a file or /dev/null cannot be polled, and never blocks
    try:
        while True:
            if polled:
                await readable.wait()
                readable.clear()
            data = os.read(descriptor, READ_BYTES)
            if not data:
                break
            await queue.put(sessions_pb2.Frame(channel=sessions_pb2.STDIN, data=data))
    finally:
        if polled:
            loop.remove_reader(descriptor)
    await queue.put(sessions_pb2.Frame(channel=sessions_pb2.STDIN, end=True))
