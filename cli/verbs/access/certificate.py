"""`holdfast certificate revoke`: refuse an identity's certificates from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli import session
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.group("certificate")
def command() -> None:
    """Certificates of nodes and people."""


@command.command("revoke")
@click.argument("identity")
@session.flags
def revoke(target: Target, identity: str) -> None:
    """Refuse every certificate of IDENTITY issued until now: node/NAME, or a certificate's CN.

    The machine has to join again with a token.
    """
    from holdfast.api.identity import NODE_PREFIX
    from holdfast.cli import access

    name = identity
    if identity.startswith("node/"):
        name = NODE_PREFIX + identity.removeprefix("node/")

    async def work(client: Client) -> None:
        await access.revoke_certificates(client, name)
        click.echo(f"certificates of {name} revoked")

    session.run(target, work)
