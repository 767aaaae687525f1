"""`python -m holdfast.control.recover`: one member's data becomes a cluster of its own.

Called by `holdfast recover`, which has warned; no control node runs on the data meanwhile. The
authority and everybody's certificates stay as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import structlog
import uvloop

from holdfast.control.store import directory
from holdfast.control.store.engine import StoreError
from holdfast.control.store.replicated.recovery import force_new_cluster

CONTROL = "control"
"""Where `holdfast up` keeps a control node's data, below its own data directory."""


@click.command("recover")
@click.option("--data-dir", type=click.Path(path_type=Path), required=True)
@click.option("--cluster-id", required=True, help="The new one.")
def command(data_dir: Path, cluster_id: str) -> None:
    """Make a stopped control node's data a cluster of one."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    below = data_dir / CONTROL
    place = below if below.is_dir() and not (data_dir / directory.FILE).exists() else data_dir
    try:
        if not directory.examine(place):
            raise StoreError(f"{place} holds no data of a control node")
        done = uvloop.run(force_new_cluster(place, cluster_id))
    except StoreError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    click.echo(f"recovered {done.objects} objects from {place}, revision {done.revision}")
    if done.unsure:
        click.echo(f"{done.unsure} log entries were kept that may not have been acknowledged")
    click.echo(f"this is now cluster {cluster_id}, of one control node")


if __name__ == "__main__":
    command(prog_name="holdfast recover")
