"""What a write answers: "deployment.apps/web created (server dry run)", or the object with -o."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from holdfast.api.kinds import Kind
from holdfast.cli.output import printer

DRY_RUNS = {"none": "", "client": " (dry run)", "server": " (server dry run)"}
"""--dry-run: client sends nothing, server refuses or accepts and keeps nothing."""

dry_run_flag = click.option(
    "--dry-run",
    type=click.Choice(list(DRY_RUNS)),
    default="none",
    # As in kubectl, where the bare flag meant "client": it must say which.
    help="client: send nothing; server: check it there and keep nothing.",
)


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """Add -o and --dry-run."""
    return printer.flag(dry_run_flag(function))


def line(kind: Kind, name: str, verb: str, dry_run: str = "none") -> str:
    """The line that says one object was written."""
    return f"{printer.full_name(kind, name)} {verb}{DRY_RUNS[dry_run]}"


def show(done: list[tuple[Kind, Any]], chosen: printer.Format) -> None:
    """The objects written, when -o asks for more than lines."""
    if not chosen.table:
        printer.show(done, chosen, single=len(done) == 1)
