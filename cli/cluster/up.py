"""`holdfast up`: start a cluster on this machine and stay with it, or --detach.

Detached, the supervisor is this same command in a session of its own; its progress comes back
over a pipe until the nodes are Ready, so both ways show the same lines and the same errors.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli.cluster import settings as settings_module
from holdfast.cli.cluster.settings import Settings


@click.command("up")
@settings_module.data_dir_flag
@click.option(
    "--runtime", type=click.Choice(["containerd", "hollow"]), help="hollow: no containers."
)
@click.option("--nodes", type=int, help="How many nodes; more than one get network namespaces.")
@click.option("--control", type=int, help="How many control nodes: 1, 3 or 5.")
@click.option("--store", help="Where the state is: raft, or etcd://HOST:PORT,…")
@click.option("--port", type=int, help="Of the API; the next one is for joining nodes.")
@click.option("--detach", is_flag=True, help="Return when the nodes are Ready.")
def command(
    data_dir: Path, runtime: str | None, nodes: int | None, control: int | None,
    store: str | None, port: int | None, detach: bool,
) -> None:  # fmt: skip
    """Start a cluster on this machine: control nodes, containers, service addresses, DNS.

    The data directory keeps everything: `holdfast down` stops the cluster, `holdfast up`
    continues it. Ctrl-C (or SIGTERM) does what `down` does.
    """
    data_dir = data_dir.absolute()
    kept = settings_module.load(data_dir)
    wanted = settings_module.merged(kept, data_dir, runtime, nodes, port, control, store)
    if not wanted.hollow and os.geteuid() != 0:
        raise ApiError(
            Reason.FORBIDDEN,
            "`up` starts containers and sets packet rules, which needs root: "
            "run it with sudo, or try `holdfast up --runtime hollow --data-dir DIR`",
        )
    if detach:
        _detach(wanted)
    else:
        from holdfast.cli.cluster import foreground

        foreground.stay(wanted)


def _detach(settings: Settings) -> None:
    """Start the supervisor in the background and relay its progress until the nodes are Ready."""
    settings.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [sys.executable, "-m", "holdfast.cli.main", "up"]
    for flag in ("data_dir", "runtime", "nodes", "port", "control", "store"):
        argv += [f"--{flag.replace('_', '-')}", str(getattr(settings, flag))]
    up, tell = os.pipe()  # the supervisor writes a byte into it when the cluster is up
    with (settings.logs / "supervisor.log").open("ab") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            pass_fds=(tell,),
            env={**os.environ, "HOLDFAST_DETACHED": str(tell)},  # foreground.py reads it
        )
    os.close(tell)
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            click.echo(line.decode(), nl=False)
    with os.fdopen(up, "rb") as pipe:
        if pipe.read(1):
            return
    sys.exit(child.wait())
