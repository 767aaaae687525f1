"""`holdfast control`: the flags of a control node."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from socket import gethostname
from typing import Any

import click
import uvloop

from holdfast.api import logs
from holdfast.api.errors import ApiError
from holdfast.control.config import OWN_STORE, PORT, ControlConfig
from holdfast.control.registry import Ranges
from holdfast.control.rpc.server import ListenError
from holdfast.control.store.engine import StoreError
from holdfast.control.store.etcd.target import TargetError, parse


@click.command("control", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data-dir", type=click.Path(path_type=Path), required=True)
@click.option("--listen", multiple=True, default=("127.0.0.1",), show_default=True)
@click.option("--port", default=PORT, show_default=True, help="Mutual TLS; the next: tokens.")
@click.option("--metrics-port", default=0, help="/metrics on loopback; 0: none.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Write the admin's here.")
@click.option("--peer-port", default=0, help="For the other control nodes; default: --port + 3.")
@click.option(
    "--name", default="", help='Among control nodes. Default: "control-1"; the machine\'s.'
)
@click.option(
    "--join", default="", metavar="TOKEN@HOST[:PORT]", help="Become a member there first."
)
@click.option(
    "--join-file", type=click.Path(path_type=Path), help="The token to join with, from a file."
)
@click.option("--server", default="", metavar="HOST[:PORT]", help="Where to join with --join-file.")
@click.option(
    "--store", default=OWN_STORE, show_default=True, metavar="raft|etcd://HOST[:PORT],…",
    help="Where the state is: in the control nodes, or on an etcd.",
)  # fmt: skip
@click.option("--service-cidr", default="10.96.0.0/16", show_default=True)
@click.option("--pod-cidr", default="10.244.0.0/16", show_default=True)
@click.option("--log-level", default="info", show_default=True)
def command(log_level: str, **given: Any) -> None:
    """Run a control node: store, API, controllers and scheduler."""
    try:
        logs.configure("control", log_level)
        uvloop.run(_until_signalled(_config(**given)))
    except (ApiError, ListenError, StoreError, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


def _config(
    *, service_cidr: str, pod_cidr: str, join: str, join_file: Path | None, server: str,
    store: str, **others: Any,
) -> ControlConfig:  # fmt: skip
    """The configuration that the flags mean. Raises ValueError naming what is wrong."""
    ranges = Ranges(services=IPv4Network(service_cidr), pods=IPv4Network(pod_cidr))
    if join_file is not None:
        if join or not server:
            raise ValueError("--join-file needs --server HOST[:PORT], and no --join")
        # One that is gone says nothing: the control node may have joined.
        join = f"{join_file.read_text().strip()}@{server}" if join_file.exists() else ""
    if store == OWN_STORE:
        store = ""
    else:
        _check_store(store)
    config = ControlConfig(ranges=ranges, join=join, store=store, **others)
    if join and not config.name:
        config = replace(config, name=gethostname().lower())
    return config


def _check_store(text: str) -> None:
    """Raises ValueError with a sentence that names the flag."""
    try:
        parse(text)
    except TargetError as error:
        raise ValueError(f"--store: {error}") from None


async def _until_signalled(config: ControlConfig) -> None:
    """Run until SIGTERM or SIGINT, which end it in order."""
    from holdfast.control.main import run

    running = asyncio.ensure_future(run(config))
    loop = asyncio.get_running_loop()

    def end() -> None:
        """Once: a second cancellation would cut off the orderly end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: None)
        running.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        await running
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    command(prog_name="holdfast control")
