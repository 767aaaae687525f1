"""`holdfast down`: stop the cluster on this machine; with --purge, leave nothing behind.

A supervisor that runs is asked to stop and does the work itself. Where it was killed, this
command starts each containerd once more, to end the pods it left.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import signal
from pathlib import Path

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli.cluster import settings as settings_module
from holdfast.cli.cluster.settings import Settings


@click.command("down")
@settings_module.data_dir_flag
@click.option("--purge", is_flag=True, help="Also delete all data, images, namespaces and rules.")
def command(data_dir: Path, purge: bool) -> None:
    """Stop the cluster on this machine. Its data stays for the next `holdfast up`."""
    data_dir = data_dir.absolute()
    settings = settings_module.load(data_dir)
    if settings is None:
        click.echo(f"no cluster in {data_dir}")
        return
    if not settings.hollow and os.geteuid() != 0:
        raise ApiError(Reason.FORBIDDEN, "`down` ends containers, which needs root: use sudo")
    asyncio.run(_down(settings, purge))


async def _down(settings: Settings, purge: bool) -> None:
    from holdfast.cli.cluster import teardown

    with settings.lock.open("a+") as lock:
        stopped = await asyncio.to_thread(_stop_supervisor, lock.fileno(), settings)
        if not stopped:
            await _stop_leftovers(settings)
        click.echo("stopped")
        if purge:
            await teardown.purge(settings)
            click.echo(f"removed {settings.data_dir}")
            if settings.on_etcd:
                click.echo("its state is left on the etcd: `etcdctl del --prefix /PREFIX/` ends it")


def _stop_supervisor(descriptor: int, settings: Settings) -> bool:
    """Signal the holder of the lock and wait until it has ended. False: nobody held it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(ProcessLookupError):
            holder = os.pidfd_open(int(settings.lock.read_text()))
            try:
                signal.pidfd_send_signal(holder, signal.SIGTERM)
                select.select([holder], [], [])  # readable when it has ended
            finally:
                os.close(holder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    return False


async def _stop_leftovers(settings: Settings) -> None:
    """End what a killed supervisor left: pods with nobody to look after them."""
    from holdfast.cli.cluster import leftovers, teardown

    if settings.hollow:
        return
    nodes = [node for node in settings.node_names if settings.node_dir(node).exists()]
    await leftovers.end(settings)
    children = []
    for node in nodes:
        argv = teardown.containerd_of(settings, node)
        children.append(
            await asyncio.create_subprocess_exec(
                *argv, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
        )
    try:
        await teardown.stop_pods(settings)
        await teardown.remove_rules(settings)
    finally:
        for child in children:
            child.terminate()
            await child.wait()
