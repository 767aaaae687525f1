"""`holdfast version`: of this command and of the control node."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from holdfast.cli import session
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.command("version")
@session.flags
@click.option("--client", "only_client", is_flag=True, help="Ask no cluster.")
def command(target: Target, only_client: bool) -> None:
    """Show the version of this command and of the cluster."""
    click.echo(f"Client Version: {version('holdfast')}")
    if only_client:
        return

    async def work(client: Client) -> None:
        click.echo(f"Server Version: {(await client.status()).version}")

    session.run(target, work)
