"""`holdfast control|node|netproxy`: this process becomes the program of that name.

The programs are never imported here (each parses its own flags), so the command line starts
without them and an import rule can keep them apart.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

PROGRAMS = {
    "control": "Run a control node: store, API, controllers and scheduler.",
    "node": "Run a node agent: this machine's containers, as the cluster wants them.",
    "netproxy": "Run a proxy agent: service addresses, cluster DNS and pod routes.",
}


def command(name: str) -> click.Command:
    """The click command that replaces this process by a program."""

    @click.command(
        name,
        help=PROGRAMS[name],
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def become(arguments: tuple[str, ...]) -> NoReturn:
        os.execv(sys.executable, arguments_of(name, arguments))

    return become


def arguments_of(name: str, arguments: tuple[str, ...]) -> list[str]:
    """The argument vector of a program, for exec and for the supervisor."""
    return [sys.executable, "-m", f"holdfast.{name}", *arguments]
