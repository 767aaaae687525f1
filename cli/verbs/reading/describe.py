"""`holdfast describe`: objects in full, with what belongs to them and their events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, session
from holdfast.cli.failures import Failures
from holdfast.cli.input.naming import Named
from holdfast.cli.session import Target
from holdfast.cli.verbs.reading import targets

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.command("describe")
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@targets.flags
@session.flags
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option("-l", "--selector", default="", help="Those with these labels.")
@click.option(
    "--show-events",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=True,
    help="Events at the end.",
)
def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Show objects in full: TYPE, TYPE NAME…, TYPE/NAME… or -f FILE.

    A NAME that no object has means those that begin with it.
    """
    wanted = targets.of(target, words, given)
    if any(named.names for named in wanted) and (given["selector"] or given["all_namespaces"]):
        raise click.UsageError("name objects or give -l or -A, not both")
    failures = Failures()
    session.run(target, lambda client: _show(client, target, wanted, given, failures))
    failures.end()


async def _show(
    client: Client,
    target: Target,
    wanted: list[Named],
    given: dict[str, Any],
    failures: Failures,
) -> None:
    from holdfast.cli.describing import pages, related

    shown = False
    for named in wanted:
        kind = named.kind
        inside = kind.namespaced and not given["all_namespaces"]
        namespace = (named.namespace or target.namespace) if inside else ""
        for message in await _objects(client, named, namespace, given["selector"], failures):
            found = await related.gather(client, kind, message, events=given["show_events"])
            click.echo(("\n\n" if shown else "") + pages.of(kind, message, found, time.time()))
            shown = True
    if not shown and not failures.count:
        click.echo("No resources found.", err=True)


async def _objects(
    client: Client, named: Named, namespace: str, selector: str, failures: Failures
) -> list[Any]:
    """What is meant, in the order of the words."""
    resource = named.kind.resource
    if not named.names:
        return (await client.list(resource, namespace, labels=selector)).objects
    found: list[Any] = []
    for name in named.names:
        with failures.noted():
            try:
                found.append(await client.get(resource, name, namespace))
            except ApiError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
                listed = (await client.list(resource, namespace)).objects
                alike = [m for m in listed if m.metadata.name.startswith(name)]
                if not alike:
                    raise
                found += alike
    return found
