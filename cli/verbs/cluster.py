"""`holdfast cluster status`: members, nodes, and the store's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli import session
from holdfast.cli.members import role
from holdfast.cli.output.table import lines
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.group("cluster")
def command() -> None:
    """The cluster as a whole."""


@command.command("status")
@session.flags
def status(target: Target) -> None:
    """Show the cluster's members, nodes and store."""

    async def work(client: Client) -> None:
        reply = await client.status()
        rows = [
            ["Cluster", reply.cluster_id],
            ["Version", reply.version],
            ["Control node", f"{client.address} (term {reply.term})"],
            ["Nodes", f"{reply.nodes_ready} of {reply.nodes} Ready"],
            ["Objects", str(reply.objects)],
            ["Revision", f"{reply.revision} (history from {reply.floor_revision})"],
            ["Database", f"{reply.database_bytes / 1e6:.1f} MB"],
        ]
        for line in lines([], rows):
            click.echo(line)
        found = sorted(reply.members, key=lambda member: member.name)
        members = [[one.name, one.endpoint, role(one)] for one in found]
        if members:
            click.echo()
            for line in lines(["MEMBER", "ENDPOINT", "ROLE"], members):
                click.echo(line)

    session.run(target, work)
