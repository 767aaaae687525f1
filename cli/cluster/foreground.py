"""A cluster on this machine while `up` stays with it: start, await the nodes, keep, stop.

Standard output is what the person sees, also through `up --detach`, so progress and the one
error sentence go there; logs go to standard error.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import time

import click
import uvloop

from holdfast.api import kubeconfig, logs
from holdfast.api.client import Client
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Reason
from holdfast.api.objects import conditions
from holdfast.cli.cluster import controls, leftovers, teardown
from holdfast.cli.cluster import settings as settings_module
from holdfast.cli.cluster.settings import Settings
from holdfast.cli.cluster.supervisor import Supervisor, until_signalled

READY_TIMEOUT_S = 60.0
NODES_SHOWN_MAX = 10
DETACHED = "HOLDFAST_DETACHED"
"""The pipe to the `up --detach` that started this one, as a file descriptor's number."""


def stay(settings: Settings) -> None:
    """Run the cluster until SIGTERM or Ctrl-C, then stop it. Exit code 1 when it cannot start."""
    logs.configure("up")
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.data_dir.chmod(0o700)
    with settings.lock.open("a+") as lock:
        if not _take(lock.fileno()):
            _already_running(settings)
            return
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        settings_module.save(settings)
        try:
            uvloop.run(_run(settings))
        except ApiError as error:
            # Standard output is what a detached `up` shows; it ends with this process, so that
            # who reads it finds the exit code.
            click.echo(f"error: {error.message}")
            sys.exit(1)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _already_running(settings: Settings) -> None:
    kept = settings_module.load(settings.data_dir)
    if kept is not None and kept != settings:
        message = "a cluster with other settings runs there: stop it first with `holdfast down`"
        raise ApiError(Reason.CONFLICT, f"{settings.data_dir}: {message}")
    click.echo(f"already up (data in {settings.data_dir}); `holdfast down` stops it")


async def _run(settings: Settings) -> None:
    started = time.monotonic()
    stopping = asyncio.create_task(until_signalled())
    await leftovers.end(settings)
    await teardown.build_network(settings)
    supervisor = Supervisor(settings, lambda control: _make_token(settings, control))
    working = asyncio.create_task(_work(settings, supervisor, started))
    ended = asyncio.Event()
    for task in (stopping, working):
        task.add_done_callback(lambda _task: ended.set())
    await ended.wait()
    stopping.cancel()
    failed = working.done()
    working.cancel()
    click.echo("stopping the cluster")
    await _stop(settings, supervisor)
    if failed:
        await working


async def _work(settings: Settings, supervisor: Supervisor, started: float) -> None:
    """Bring the cluster up, say so, and keep it running."""
    others = f" and {settings.control} control nodes" if settings.control > 1 else ""
    click.echo(f"starting {settings.nodes} node(s){others}, data in {settings.data_dir}")
    await supervisor.start()
    if settings.control > 1:
        await controls.until_voting(_client(settings), settings)
    await _await_nodes(settings)
    took_s = time.monotonic() - started
    click.echo(f"ready in {took_s:.1f} s")
    if settings.data_dir != settings_module.DATA_DIR:
        click.echo(f"to use it: export KUBECONFIG={settings.kubeconfig}")
    click.echo("try: holdfast get nodes")
    if DETACHED in os.environ:
        _finish_output()
    await supervisor.run()


async def _stop(settings: Settings, supervisor: Supervisor) -> None:
    await supervisor.stop("node", "netproxy")
    await teardown.stop_pods(settings)
    await teardown.remove_rules(settings)
    await supervisor.stop("runtime", "control")


def _client(settings: Settings) -> Client:
    return Client.connect(kubeconfig.load((settings.kubeconfig,)))


async def _make_token(settings: Settings, control: bool) -> str:
    client = _client(settings)
    try:
        return await controls.token(client, control=control)
    finally:
        await client.close()


async def _await_nodes(settings: Settings) -> None:
    """Show each node as it becomes Ready; return when all are."""
    waiting = dict.fromkeys(settings.node_names)
    client = _client(settings)
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            async for batch in client.watch("nodes"):
                for event in batch:
                    node = event.object
                    if not isinstance(node, core_pb2.Node) or node.metadata.name not in waiting:
                        continue
                    if conditions.is_true(node.status.conditions, "Ready"):
                        del waiting[node.metadata.name]
                        if settings.nodes <= NODES_SHOWN_MAX:
                            click.echo(f"{node.metadata.name} is Ready")
                if not waiting:
                    return
    except TimeoutError:
        name = next(iter(waiting))
        message = f"{name} is not Ready after {READY_TIMEOUT_S:.0f} s; see {settings.logs}"
        raise ApiError(Reason.TIMEOUT, message) from None
    finally:
        await client.close()


def _finish_output() -> None:
    """Tell the `up --detach` that waits for our words that the cluster is up, and leave it."""
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    tell = int(os.environ[DETACHED])
    os.write(tell, b"\n")
    os.close(tell)
