"""iptables of this machine: the two commands, run one at a time with their input on stdin.

Whichever flavour the system's `iptables` is (nft or legacy): then Docker's rules and ours are in
the same tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

from holdfast.netproxy.filters import FilterError

LOCK_WAIT_S = 5
RUN_TIMEOUT_S = 30.0
_OUTPUT_SHOWN = 400


class KernelTool:
    """Runs iptables-save and iptables-restore in this process's network namespace."""

    async def save(self, table: str) -> str:
        """The table as text. Raises FilterError."""
        return await self._run(["iptables-save", "-t", table], "")

    async def restore(self, transaction: str) -> None:
        """Perform it. Raises FilterError that shows the line refused."""
        command = ["iptables-restore", "--noflush", "-w", str(LOCK_WAIT_S)]
        await self._run(command, transaction)

    async def _run(self, command: list[str], stdin: str) -> str:
        # A file in memory, not a pipe: the command may end before it has read everything.
        with os.fdopen(os.memfd_create("rules"), "w+b") as rules:
            rules.write(stdin.encode())
            rules.seek(0)
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=rules,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )
            except FileNotFoundError:
                raise FilterError(f"{command[0]} is not installed (package iptables)") from None
        output, errors = await _ended(process, command[0])
        if process.returncode:
            raise FilterError(f"{command[0]} failed: {_explained(errors.decode(), stdin)}")
        return output.decode()


async def _ended(process: asyncio.subprocess.Process, command: str) -> tuple[bytes, bytes]:
    """What it wrote until its end; one that does not end in time is killed."""
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            return await process.communicate()
    except TimeoutError:
        raise FilterError(f"{command} gave no answer in {RUN_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _explained(errors: str, stdin: str) -> str:
    """What the tool said, with the text of the line it names."""
    said = " ".join(errors.split())[:_OUTPUT_SHOWN]
    lines = stdin.splitlines()
    for word, number in zip(said.split(), said.split()[1:], strict=False):
        place = number.strip(":")
        if word == "line" and place.isdigit() and 0 < int(place) <= len(lines):
            return f"{said} [{lines[int(place) - 1]}]"
    return said
