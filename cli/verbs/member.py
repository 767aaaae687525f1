"""`holdfast member list|add|remove|promote|transfer`: the control nodes of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli import session
from holdfast.cli.session import Target
from holdfast.cli.waiting import length

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.group("member")
def command() -> None:
    """The control nodes. A MEMBER is named by its name or its id."""


@command.command("list")
@session.flags
def list_(target: Target) -> None:
    """Show the control nodes: who leads, who votes, who is catching up."""
    from holdfast.cli import members
    from holdfast.cli.output.table import lines

    async def work(client: Client) -> None:
        rows = [
            [
                one.name,
                one.id,
                members.role(one),
                members.matched(one),
                one.peer or "-",
                ",".join(one.endpoints) or "-",
            ]
            for one in await members.listed(client)
        ]
        columns = ["NAME", "ID", "ROLE", "MATCHED", "PEER", "ENDPOINTS"]
        click.echo("\n".join(lines(columns, rows)))

    session.run(target, work)


@command.command("add")
@session.flags
@click.option("--ttl", type=length, default="1h", help="How long the token works.")
def add(target: Target, ttl: float) -> None:
    """Make a token for one new control node, and print the command that uses it.

    The new one is a learner until it has caught up, then it votes. The token is worth the whole
    cluster: who holds it can become a control node.
    """
    from holdfast.cli import access, members

    async def work(client: Client) -> None:
        await client.find_leader()
        host = client.address.rpartition(":")
        on_etcd = not any(one.peer for one in await members.listed(client))
        store = "--store etcd://HOST:PORT,… " if on_etcd else ""
        token = await access.create_token(client, "a control node", int(ttl), uses=1, control=True)
        click.echo("run on the new machine, with an address that the others reach:", err=True)
        click.echo(
            f"holdfast control --data-dir /var/lib/holdfast/control {store}--listen ADDRESS "
            f"--join {token}@{host[0]}:{int(host[2]) + 1}"
        )

    session.run(target, work)


@command.command("remove")
@click.argument("member")
@session.flags
def remove(target: Target, member: str) -> None:
    """Take a control node out for good; the leader too. Stop it and delete its data afterwards."""
    from holdfast.cli import members

    async def work(client: Client) -> None:
        gone = await members.remove(client, member)
        click.echo(f"control node {gone.name} removed")

    session.run(target, work)


@command.command("promote")
@click.argument("member")
@session.flags
def promote(target: Target, member: str) -> None:
    """Let a learner vote now. One that has caught up does so by itself."""
    from holdfast.cli import members

    async def work(client: Client) -> None:
        one = await members.promote(client, member)
        click.echo(f"control node {one.name} votes")

    session.run(target, work)


@command.command("transfer")
@click.argument("member")
@session.flags
def transfer(target: Target, member: str) -> None:
    """Let another control node lead."""
    from holdfast.cli import members

    async def work(client: Client) -> None:
        one = await members.transfer(client, member)
        click.echo(f"control node {one.name} leads")

    session.run(target, work)
