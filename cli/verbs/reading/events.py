"""`holdfast events`: what happened, oldest first; --for one object, -w goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from holdfast.api import kinds
from holdfast.cli import completing, session
from holdfast.cli.input import naming
from holdfast.cli.output import printer
from holdfast.cli.output.table import Table, lines
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.command("events")
@session.flags
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option(
    "--for",
    "about",
    default="",
    help="Only about this object, TYPE/NAME.",
    shell_complete=completing.objects,
)
@click.option("--types", default="", help="Normal, Warning or both, comma-separated.")
@click.option("-w", "--watch", is_flag=True, help="Then print each new one.")
@printer.flag
def command(target: Target, **given: Any) -> None:
    """Show events, oldest first."""
    chosen: printer.Format = given["output"]
    fields = _fields(given["about"], given["types"])
    namespace = "" if given["all_namespaces"] else target.namespace
    kind = kinds.by_resource("events")
    table = Table(kind, wide=chosen.name == "wide", namespaces=given["all_namespaces"])

    async def work(client: Client) -> None:
        listed = await client.list("events", namespace, fields=fields)
        found = sorted(listed.objects, key=_when)
        if not chosen.table:
            printer.show([(kind, event) for event in found], chosen, single=False)
        elif found:
            rows = [table.row(event, time.time()) for event in found]
            click.echo("\n".join(lines(table.header(), rows)))
        elif not given["watch"]:
            where = f" in {namespace} namespace" if namespace else ""
            click.echo(f"No events found{where}.", err=True)
        if not given["watch"]:
            return
        async for batch in client.watch("events", namespace, fields=fields, after=listed.revision):
            for change in batch:
                if change.object is not None and change.type != "DELETED":
                    click.echo("\n".join(lines([], [table.row(change.object, time.time())])))

    session.run(target, work)


def _fields(about: str, types: str) -> str:
    terms = []
    if about:
        kind, name = naming.one((about,))
        terms += [f"involvedObject.kind={kind.kind}", f"involvedObject.name={name}"]
    wanted = [word.capitalize() for word in types.split(",") if word]
    if set(wanted) - {"Normal", "Warning"}:
        raise click.UsageError(f'--types: "{types}" is not Normal, Warning or both')
    if len(wanted) == 1:
        terms.append(f"type={wanted[0]}")
    return ",".join(terms)


def _when(event: Any) -> tuple[int, str]:
    time_s = event.lastTimestamp.seconds or event.eventTime.seconds
    return (time_s or event.metadata.creationTimestamp.seconds, event.metadata.name)
