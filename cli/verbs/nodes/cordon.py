"""`holdfast cordon` and `uncordon`: whether new pods may be placed on a node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import completing, session
from holdfast.cli.session import Target
from holdfast.cli.verbs.nodes import naming

if TYPE_CHECKING:
    from holdfast.api.client import Client


async def set_unschedulable(client: Client, node: Any, wanted: bool) -> None:
    """Write spec.unschedulable of a node unless it is so already, and say so."""
    name, word = node.metadata.name, "cordoned" if wanted else "uncordoned"
    if node.spec.unschedulable == wanted:
        click.echo(f"node/{name} already {word}")
        return
    body = json.dumps({"spec": {"unschedulable": wanted or None}}).encode()
    await client.patch("nodes", name, "", "merge", body)
    click.echo(f"node/{name} {word}")


def _verb(verb: str, wanted: bool, text: str) -> click.Command:
    @click.command(verb, help=text)
    @click.argument("names", nargs=-1, shell_complete=completing.names_of("nodes"))
    @session.flags
    @click.option("-l", "--selector", default="", help="Nodes with these labels.")
    def command(target: Target, names: tuple[str, ...], selector: str) -> None:
        async def work(client: Client) -> None:
            for node in await naming.chosen(client, names, selector):
                await set_unschedulable(client, node, wanted)

        session.run(target, work, f"kubectl-{verb}")

    return command


cordon = _verb("cordon", True, "Let no new pods be placed on NODE…")
uncordon = _verb("uncordon", False, "Let pods be placed on NODE… again.")
