"""`holdfast token create|list|revoke`: what a machine needs to join the cluster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from holdfast.cli import session
from holdfast.cli.session import Target
from holdfast.cli.waiting import length

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.group("token")
def command() -> None:
    """Join tokens: `holdfast node --join TOKEN@HOST` on another machine uses one."""


@command.command("create")
@session.flags
@click.option("--ttl", type=length, default="24h", help="How long it works.")
@click.option(
    "--uses", type=click.IntRange(min=0), default=0, help="How often; 0: as often as wanted."
)
@click.option("--description", default="", help="What it is for.")
def create(target: Target, ttl: float, uses: int, description: str) -> None:
    """Make a token and print it. It holds the cluster's certificate and is shown once."""
    from holdfast.cli import access

    async def work(client: Client) -> None:
        click.echo(await access.create_token(client, description, int(ttl), uses))

    session.run(target, work)


@command.command("list")
@session.flags
def list_(target: Target) -> None:
    """List the tokens that still work."""
    from holdfast.api.kinds import cells
    from holdfast.cli import access
    from holdfast.cli.output.table import lines

    async def work(client: Client) -> None:
        now = time.time()
        rows = [
            [
                token.id,
                cells.duration(token.expires_at_s - now),
                "unlimited" if token.uses_left < 0 else str(token.uses_left),
                "control nodes" if token.control else "nodes",
                token.description,
            ]
            for token in await access.tokens(client)
        ]
        click.echo("\n".join(lines(["ID", "EXPIRES IN", "USES LEFT", "FOR", "DESCRIPTION"], rows)))

    session.run(target, work)


@command.command("revoke")
@click.argument("identifier")
@session.flags
def revoke(target: Target, identifier: str) -> None:
    """End a token now; nodes that joined with it stay."""
    from holdfast.cli import access

    async def work(client: Client) -> None:
        await access.revoke_token(client, identifier)
        click.echo(f"token {identifier} revoked")

    session.run(target, work)
