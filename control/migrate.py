"""`python -m holdfast.control.migrate`: a stopped cluster moves between data directory and etcd.

Called by `holdfast store migrate`. The cluster's authority stays where it is, in the data directory
of the control node: a data directory that is moved to must hold it, or no node could come back. The
directory is told where its cluster is from then on: no control node starts on the old state.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import structlog
import uvloop

from holdfast.control.access.ca import CERTIFICATE
from holdfast.control.group import marker
from holdfast.control.group.marker import Marker
from holdfast.control.store import directory
from holdfast.control.store.engine import StoreError
from holdfast.control.store.etcd.moving import Place, move
from holdfast.control.store.etcd.target import SCHEME, Target, TargetError, parse

CONTROL = "control"
"""Where `holdfast up` keeps a control node's data, below its own data directory."""


@click.command("migrate")
@click.option("--from", "source", required=True)
@click.option("--to", "target", required=True)
@click.option("--cluster-id", required=True, help="The new one.")
@click.option("--member", type=int, required=True, help="The id of a data directory's member.")
def command(source: str, target: str, cluster_id: str, member: int) -> None:
    """Move a stopped cluster between a data directory and etcd."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        places = _place(source), _place(target)
        _check(*places)
        done = uvloop.run(move(*places, cluster_id, member))
        _mark(*places, cluster_id)
    except (StoreError, TargetError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    click.echo(f"moved {done.objects} objects at revision {done.old_revision} to {places[1]}")
    click.echo(f"cluster {done.old_id} became {cluster_id}, revision {done.revision}")
    click.echo(f"the old store is left as it was: delete it when you no longer want it ({source})")


def _place(text: str) -> Place:
    """An etcd, or the directory that holds a control node's store. Raises TargetError."""
    if text.startswith(SCHEME):
        return parse(text)
    path = Path(text).absolute()
    below = path / CONTROL
    return below if below.is_dir() and not (path / directory.FILE).exists() else path


def _mark(source: Place, target: Place, cluster_id: str) -> None:
    """Raises OSError."""
    if isinstance(source, Path):
        marker.write(source, Marker(cluster_id))
    if isinstance(target, Path):
        marker.remove(target)


def _check(source: Place, target: Place) -> None:
    if isinstance(source, Path) and isinstance(target, Path):
        raise StoreError("both are data directories: use `holdfast backup` to copy a cluster")
    if isinstance(target, Path) and not (target / CERTIFICATE).exists():
        raise StoreError(
            f"{target} holds no cluster authority: move into the data directory of a control node "
            "of this cluster"
        )
    if isinstance(source, Target) and source == target:
        raise StoreError("source and target are the same")


if __name__ == "__main__":
    command(prog_name="holdfast store migrate")
