"""`holdfast backup save|inspect|restore`: the cluster as one file, and a cluster from it.

`save` asks a control node; the other two need none. `restore` becomes the program that knows the
store (`holdfast.control.restore`); this one only draws the ids of the new cluster.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from holdfast.cli import programs, session
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group("backup")
def command() -> None:
    """The whole cluster as one file. It holds the key of the cluster's authority: guard it."""


@command.command("save")
@FILE
@session.flags
def save(target: Target, file: Path) -> None:
    """Save all objects at one revision, while the cluster works on.

    An older backup of that name is replaced when the new one is whole.
    """
    from holdfast.cli.backups import figures, saving

    async def work(client: Client) -> None:
        done = await saving.save(client, file)
        click.echo(f"saved {done.objects} objects at revision {done.header.revision} to {file}")
        click.echo(f"{figures.size(done.bytes)}, SHA-256 {done.sha256}")

    session.run(target, work)


@command.command("inspect")
@FILE
@click.option("-o", "--output", type=click.Choice(["json"]), help="For programs.")
def inspect(file: Path, output: str | None) -> None:
    """Check a backup from end to end and show what is in it. Asks no cluster."""
    from holdfast.cli.backups import figures

    summary = figures.inspect(file)
    if output == "json":
        click.echo(json.dumps(figures.tree(file, summary), indent=4, ensure_ascii=False))
        return
    for line in figures.page(file, summary):
        click.echo(line)


@command.command("restore")
@FILE
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    required=True,
    help="A new data directory: of `holdfast up`; the control node's is DIR/control.",
)
def restore(file: Path, data_dir: Path) -> NoReturn:
    """Make a new cluster of one control node from a backup. Asks no cluster."""
    identity = ("--cluster-id", str(uuid.uuid4()), "--member", str(secrets.randbits(62) or 1))
    where = ("--data-dir", str(data_dir.absolute()), "--", str(file))
    os.execv(sys.executable, programs.arguments_of("control.restore", (*identity, *where)))
