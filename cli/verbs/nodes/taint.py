"""`holdfast taint`: keep pods off a node unless they tolerate it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, session
from holdfast.cli.session import Target
from holdfast.cli.verbs.nodes import naming

if TYPE_CHECKING:
    from holdfast.api.client import Client

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@click.command("taint")
@click.argument("words", nargs=-1, required=True, shell_complete=completing.names_of("nodes"))
@session.flags
@click.option("-l", "--selector", default="", help="Nodes with these labels.")
@click.option("--overwrite", is_flag=True, help="A taint that has another value may change.")
def command(target: Target, words: tuple[str, ...], selector: str, overwrite: bool) -> None:
    """Set or remove taints: node NAME KEY=VALUE:EFFECT, or KEY[:EFFECT]- to remove."""
    names, changes = split(words)

    async def work(client: Client) -> None:
        for node in await naming.chosen(client, names, selector):
            taints = changed(node, changes, overwrite=overwrite)
            body = json.dumps({"spec": {"taints": taints}}).encode()
            await client.patch("nodes", node.metadata.name, "", "merge", body)
            word = "untainted" if all(change.endswith("-") for change in changes) else "tainted"
            click.echo(f"node/{node.metadata.name} {word}")

    session.run(target, work, "kubectl-taint")


def split(words: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The node names and the changes, `node NAME… CHANGE…`. Raises click.UsageError."""
    names = list(words[1:] if words[0] in ("node", "nodes", "no") else words)
    changes: list[str] = []
    while names and (":" in names[-1] or names[-1].endswith("-")):
        changes.insert(0, names.pop())
    if not changes:
        raise click.UsageError("say which taint: KEY=VALUE:EFFECT, or KEY- to remove")
    return tuple(names), changes


def changed(node: Any, changes: list[str], *, overwrite: bool) -> list[dict[str, str]]:
    """The node's taints after the changes, as JSON. Raises ApiError."""
    taints = {(t.key, t.effect): t.value for t in node.spec.taints}
    for change in changes:
        pair, _, effect = change.removesuffix("-").partition(":")
        key, _, value = pair.partition("=")
        if change.endswith("-"):
            gone = [k for k in taints if k[0] == key and effect in ("", k[1])]
            if not gone:
                message = f'taint "{change}" is not on node/{node.metadata.name}'
                raise ApiError(Reason.NOT_FOUND, message)
            for found in gone:
                del taints[found]
            continue
        if effect not in EFFECTS:
            message = f'taint "{change}": the effect must be one of {", ".join(EFFECTS)}'
            raise ApiError(Reason.BAD_REQUEST, message)
        if taints.get((key, effect), value) != value and not overwrite:
            message = f"node/{node.metadata.name} already has taint {key}:{effect}: add --overwrite"
            raise ApiError(Reason.CONFLICT, message)
        taints[key, effect] = value
    return [
        {"key": key, "effect": effect, **({"value": value} if value else {})}
        for (key, effect), value in taints.items()
    ]
