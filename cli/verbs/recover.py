"""`holdfast recover --force-new-cluster`: a cluster from what one control node still has.

Becomes the program that knows the store (`holdfast.control.recover`) once the person has agreed.
"""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from typing import NoReturn

import click

from holdfast.cli import programs

WARNING = """\
This makes a new cluster of one control node from the data in {place}.
 - Do it only when a majority of the control nodes is lost for good: the others must never be
   started again with their old data, or there are two clusters.
 - Writes that were acknowledged are lost if this control node had not received them yet. Choose
   the one with the newest data; make a copy of its directory first.
 - The cluster gets a new id, and clients list everything again. Nodes and pods run on.
 - Afterwards start it, and let new control nodes join (`holdfast member add`)."""


@click.command("recover")
@click.option(
    "--force-new-cluster", "force", is_flag=True, help="Leave all other control nodes behind."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    required=True,
    help="A stopped control node's; that of `holdfast up` will do.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(force: bool, data_dir: Path, yes: bool) -> NoReturn:
    """Bring a cluster back that has lost the majority of its control nodes. Asks no cluster."""
    if not force:
        raise click.UsageError("say --force-new-cluster: there is no other way to recover")
    click.echo(WARNING.format(place=data_dir), err=True)
    if not yes:
        click.confirm("Go on?", abort=True, err=True)
    flags = ("--data-dir", str(data_dir.absolute()), "--cluster-id", str(uuid.uuid4()))
    sys.stdout.flush()
    os.execv(sys.executable, programs.arguments_of("control.recover", flags))
