"""`python -m holdfast.runtime`: a containerd of our own, and the end of its pods.

`containerd --dir DIR` becomes containerd; `remove-pods --socket SOCKET` ends and removes every
sandbox there, for `holdfast down`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from holdfast.runtime import containerd
from holdfast.runtime.cri import CriRuntime
from holdfast.runtime.interface import RuntimeFault

READY_TIMEOUT_S = 15.0
STOPPING_MAX = 16


@click.group()
def command() -> None:
    """The container runtime of a node on this machine."""


@command.command("containerd")
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True)
def run_containerd(directory: Path) -> None:
    """Write a configuration below DIR and become containerd."""
    where = containerd.layout(directory)
    for path in (where.root, where.state, where.cni_conf_dir):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = directory / "config.toml"
    config.write_text(containerd.config(where, containerd.abilities(where.root)))
    argv = containerd.command(config)
    os.execvp(argv[0], argv)  # noqa: S606 - the supervisor's child becomes containerd


@command.command("remove-pods")
@click.option("--socket", type=click.Path(path_type=Path), required=True)
def remove_pods(socket: Path) -> None:
    """Stop and remove every sandbox; exit code 1 and a sentence when one stays."""
    try:
        asyncio.run(_remove_pods(socket))
    except (RuntimeFault, TimeoutError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)


async def _remove_pods(socket: Path) -> None:
    await containerd.wait_ready(socket, READY_TIMEOUT_S)
    runtime = CriRuntime(socket)
    gate = asyncio.Semaphore(STOPPING_MAX)

    async def remove(sandbox_id: str) -> None:
        async with gate:
            await runtime.stop_sandbox(sandbox_id)
            await runtime.remove_sandbox(sandbox_id)

    try:
        found = await runtime.list_sandboxes()
        await asyncio.gather(*(remove(sandbox.id) for sandbox in found))
    finally:
        await runtime.close()


if __name__ == "__main__":
    command()
