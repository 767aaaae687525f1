"""`holdfast run`: one pod, quickly."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli import creating, session
from holdfast.cli.input import making
from holdfast.cli.output import outcomes
from holdfast.cli.session import Target

RESTARTS = ["Always", "OnFailure", "Never"]


@click.command("run")
@click.argument("name")
@click.argument("arguments", nargs=-1)
@session.flags
@click.option("--image", required=True, help="What to run.")
@click.option("--command", "as_command", is_flag=True, help="The words replace the entry point.")
@click.option("--env", multiple=True, help="KEY=VALUE.")
@click.option("--port", type=click.IntRange(1, 65535), help="That the container listens on.")
@click.option("-l", "--labels", default="", help="KEY=VALUE,…; else run=NAME.")
@click.option("--restart", type=click.Choice(RESTARTS), default="Always", help="When it ends.")
@outcomes.flags
def command(target: Target, name: str, arguments: tuple[str, ...], **given: Any) -> None:
    """Run one pod: NAME --image=IMAGE [-- ARGUMENT…]."""
    labels = making.pairs([word for word in given["labels"].split(",") if word], "--labels")
    tree = making.pod(name, given["image"], labels, given["restart"])
    container = tree["spec"]["containers"][0]
    if arguments:
        container["command" if given["as_command"] else "args"] = list(arguments)
    if given["port"]:
        container["ports"] = [{"containerPort": given["port"]}]
    pairs = making.pairs(given["env"], "--env")
    if pairs:
        container["env"] = [{"name": key, "value": value} for key, value in pairs.items()]
    creating.create(target, [creating.from_tree(tree)], given, "kubectl-run")
