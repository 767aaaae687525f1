"""Containerds that outlived a killed supervisor: two on one state directory must never run.

They are no children of ours, so their end is awaited on a process file descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from holdfast.api.errors import ApiError, Reason
from holdfast.cli.cluster.settings import Settings

END_TIMEOUT_S = 10.0


async def end(settings: Settings) -> None:
    """End them; their pods stay. Raises ApiError naming one that does not end."""
    for pid in find(settings):
        with contextlib.suppress(ProcessLookupError):
            await _end(pid)


def find(settings: Settings) -> list[int]:
    """Containerds whose configuration lies in this cluster's data directory."""
    below = f"{settings.data_dir}/nodes/"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            ours = any(word.startswith(below) for word in words[1:])
            if Path(words[0]).name == "containerd" and ours:
                found.append(int(path.parent.name))
    return found


async def _end(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    ended = asyncio.Event()  # the loop sets it when the process has ended
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(END_TIMEOUT_S):
            await ended.wait()
    except TimeoutError:
        message = f"containerd (process {pid}) of an earlier `up` does not end: kill it"
        raise ApiError(Reason.TIMEOUT, message) from None
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
