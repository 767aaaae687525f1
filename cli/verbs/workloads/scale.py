"""`holdfast scale`: how many replicas, through the scale subresource."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import completing, session
from holdfast.cli.failures import Failures
from holdfast.cli.input import naming
from holdfast.cli.output import outcomes, printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.command("scale")
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@session.flags
@click.option("--replicas", type=click.IntRange(min=0), required=True, help="How many.")
@click.option("--current-replicas", type=int, help="Only if it has this many now.")
def command(
    target: Target, words: tuple[str, ...], replicas: int, current_replicas: int | None
) -> None:
    """Set the number of replicas of TYPE/NAME…"""
    wanted = naming.targets(words)
    for named in wanted:
        if "scale" not in named.kind.subresources:
            raise ApiError(Reason.BAD_REQUEST, f"{named.kind.plural} cannot be scaled")
        if not named.names:
            raise click.UsageError(f"name the {named.kind.singular} to scale")
    failures = Failures()
    body = json.dumps({"spec": {"replicas": replicas}}).encode()

    async def work(client: Client) -> None:
        for named in wanted:
            for name in named.names:
                with failures.noted():
                    await _check(client, named.kind, name, target.namespace, current_replicas)
                    where = (named.kind.resource, name, target.namespace)
                    await client.patch(*where, "merge", body, subresource="scale")
                    click.echo(outcomes.line(named.kind, name, "scaled"))

    session.run(target, work, "kubectl-scale")
    failures.end()


async def _check(client: Client, kind: Kind, name: str, namespace: str, wanted: int | None) -> None:
    """--current-replicas: raises ApiError Conflict when there are others."""
    if wanted is None:
        return
    scale = await client.get(kind.resource, name, namespace, subresource="scale")
    if scale.spec.replicas != wanted:
        full = printer.full_name(kind, name)
        message = f"{full} has {scale.spec.replicas} replicas, not --current-replicas={wanted}"
        raise ApiError(Reason.CONFLICT, message)
