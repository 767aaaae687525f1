"""`holdfast scale`: how many replicas, through the scale subresource."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import naming, session
from holdfast.cli.output import printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.command("scale")
@click.argument("words", nargs=-1)
@session.flags
@click.option("--replicas", type=int, required=True)
@click.option("--current-replicas", type=int, help="Only if it has this many now.")
def command(
    target: Target, words: tuple[str, ...], replicas: int, current_replicas: int | None
) -> None:
    """Set the number of replicas of TYPE/NAME…"""
    if replicas < 0:
        raise ApiError(Reason.BAD_REQUEST, f"--replicas must not be negative: {replicas}")
    wanted = naming.targets(words)
    for named in wanted:
        if "scale" not in named.kind.subresources:
            raise ApiError(Reason.BAD_REQUEST, f"{named.kind.plural} cannot be scaled")
        if not named.names:
            raise ApiError(Reason.BAD_REQUEST, f"name the {named.kind.singular} to scale")

    async def work(client: Client) -> None:
        for named in wanted:
            for name in named.names:
                where = (named.kind.resource, name, target.namespace)
                if current_replicas is not None:
                    scale = await client.get(*where, subresource="scale")
                    if scale.spec.replicas != current_replicas:
                        message = (
                            f"{named.kind.singular}/{name} has {scale.spec.replicas} replicas, "
                            f"not --current-replicas={current_replicas}"
                        )
                        raise ApiError(Reason.CONFLICT, message)
                body = json.dumps({"spec": {"replicas": replicas}}).encode()
                await client.patch(*where, "merge", body, subresource="scale")
                click.echo(f"{printer.full_name(named.kind, name)} scaled")

    session.run(target, work, "kubectl-scale")
