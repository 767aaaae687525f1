"""`holdfast store migrate`: a cluster moves between the embedded store and an etcd.

Becomes the program that knows the store (`holdfast.control.migrate`); this one only draws the ids
of the new store.
"""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from typing import NoReturn

import click

from holdfast.cli import programs


@click.group("store")
def command() -> None:
    """Where the cluster's state is kept."""


@command.command("migrate")
@click.option("--from", "source", required=True, metavar="PLACE", help="Where the cluster is.")
@click.option("--to", "target", required=True, metavar="PLACE", help="Where it goes.")
def migrate(source: str, target: str) -> NoReturn:
    """Move a stopped cluster from its data directory to an etcd, or back. Asks no control node.

    A PLACE is a data directory or etcd://HOST:PORT,…[/PREFIX][?ca=FILE&cert=FILE&key=FILE].
    Stop all control nodes first; clients list again afterwards.
    """
    identity = ("--cluster-id", str(uuid.uuid4()), "--member", str(secrets.randbits(62) or 1))
    places = (f"--from={source}", f"--to={target}")
    os.execv(sys.executable, programs.arguments_of("control.migrate", (*identity, *places)))
