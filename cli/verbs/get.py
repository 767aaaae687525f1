"""`holdfast get`: objects as a table, YAML, JSON, names or a template; -w follows them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import naming, session
from holdfast.cli.naming import Named
from holdfast.cli.output import jsonpath, printer
from holdfast.cli.output.table import Table, lines
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client, Listed


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of one `get`."""

    namespace: str  # "" = all
    labels: str
    fields: str
    chosen: printer.Format
    sort_by: str
    headers: bool
    show_labels: bool
    label_columns: tuple[str, ...]
    ignore_not_found: bool


@click.command("get")
@click.argument("words", nargs=-1)
@session.flags
@click.option("-o", "--output", help=printer.FORMATS)
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option("-l", "--selector", default="", help="Label selector: app=web,tier!=db.")
@click.option("--field-selector", default="", help="For example spec.nodeName=node-1.")
@click.option("--sort-by", default="", help="A JSONPath: .metadata.creationTimestamp.")
@click.option("-w", "--watch", is_flag=True, help="Then print each change.")
@click.option("--watch-only", is_flag=True, help="Print each change only.")
@click.option("--no-headers", is_flag=True)
@click.option("--show-labels", is_flag=True)
@click.option("-L", "--label-columns", multiple=True, help="A column for this label.")
@click.option("--ignore-not-found", is_flag=True, help="A missing name is no error.")
def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Show objects: TYPE, TYPE NAME… or TYPE/NAME… (`get pods`, `get deploy/web svc/web`)."""
    wanted = naming.targets(words)
    asked = Asked(
        namespace="" if given["all_namespaces"] else target.namespace,
        labels=given["selector"],
        fields=given["field_selector"],
        chosen=printer.parse(given["output"]),
        sort_by=given["sort_by"],
        headers=not given["no_headers"],
        show_labels=given["show_labels"],
        label_columns=tuple(name for text in given["label_columns"] for name in text.split(",")),
        ignore_not_found=given["ignore_not_found"],
    )
    if any(named.names for named in wanted) and (asked.labels or asked.fields):
        raise ApiError(Reason.BAD_REQUEST, "name objects or give a selector, not both")
    if given["watch"] or given["watch_only"]:
        if len(wanted) != 1 or len(wanted[0].names) > 1:
            raise ApiError(Reason.BAD_REQUEST, "-w follows one type, or one object")
        only = bool(given["watch_only"])
        session.run(target, lambda client: follow(client, wanted[0], asked, only=only))
    else:
        session.run(target, lambda client: show(client, wanted, asked))


async def show(client: Client, wanted: Sequence[Named], asked: Asked) -> None:
    """Read and print everything once."""
    found = [(named, await fetch(client, named, asked)) for named in wanted]
    if not asked.chosen.table:
        single = len(wanted) == 1 and len(wanted[0].names) == 1
        every = [(named.kind, message) for named, messages in found for message in messages]
        if every or not single:
            printer.show(every, asked.chosen, single=single)
        return
    shown = False
    for named, messages in found:
        if not messages:
            continue
        if shown:
            click.echo()
        _print_table(named, messages, asked, prefix=len(wanted) > 1)
        shown = True
    if not shown and not asked.ignore_not_found:
        where = f" in {asked.namespace} namespace" if asked.namespace else ""
        namespaced = any(named.kind.namespaced for named in wanted)
        click.echo(f"No resources found{where if namespaced else ''}.", err=True)


async def fetch(client: Client, named: Named, asked: Asked) -> list[Any]:
    """The objects of one target, sorted as asked."""
    kind = named.kind
    namespace = asked.namespace if kind.namespaced else ""
    messages: list[Any] = []
    if named.names:
        if kind.namespaced and not namespace:
            message = "an object cannot be named across all namespaces: give -n"
            raise ApiError(Reason.BAD_REQUEST, message)
        for name in named.names:
            try:
                messages.append(await client.get(kind.resource, name, namespace))
            except ApiError as error:
                if not (asked.ignore_not_found and error.reason is Reason.NOT_FOUND):
                    raise
    else:
        messages = (await _list(client, named, asked)).objects
    if asked.sort_by:
        messages.sort(key=lambda message: _sort_key(printer.tree(kind, message), asked.sort_by))
    return messages


async def _list(client: Client, named: Named, asked: Asked) -> Listed:
    namespace = asked.namespace if named.kind.namespaced else ""
    fields = asked.fields
    if named.names:
        fields = f"metadata.name={named.names[0]}"
    return await client.list(named.kind.resource, namespace, labels=asked.labels, fields=fields)


def _sort_key(tree: dict[str, Any], path: str) -> tuple[int, float, str]:
    """Absent first, then numbers, then text."""
    values = jsonpath.values(path, tree)
    if not values:
        return (0, 0.0, "")
    value = values[0]
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0.0, str(value))


def _print_table(named: Named, messages: Sequence[Any], asked: Asked, *, prefix: bool) -> None:
    table = _table(named, asked, prefix=prefix)
    now = time.time()
    rows = [table.row(message, now) for message in messages]
    for line in lines(table.header() if asked.headers else [], rows):
        click.echo(line)


def _table(named: Named, asked: Asked, *, prefix: bool = False) -> Table:
    return Table(
        named.kind,
        wide=asked.chosen.name == "wide",
        namespaces=not asked.namespace,
        label_columns=asked.label_columns,
        show_labels=asked.show_labels,
        prefix=prefix,
    )


async def follow(client: Client, named: Named, asked: Asked, *, only: bool) -> None:
    """Print what is there (unless only), then each change until interrupted."""
    listed = await _list(client, named, asked)
    if named.names and not listed.objects:
        await client.get(named.kind.resource, named.names[0], asked.namespace)  # says NotFound
    if not only:
        if asked.chosen.table and listed.objects:
            _print_table(named, listed.objects, asked, prefix=False)
        elif listed.objects:
            found = [(named.kind, message) for message in listed.objects]
            printer.show(found, asked.chosen, single=True)
    table = _table(named, asked)
    fields = f"metadata.name={named.names[0]}" if named.names else asked.fields
    namespace = asked.namespace if named.kind.namespaced else ""
    stream = client.watch(
        named.kind.resource, namespace, labels=asked.labels, fields=fields, after=listed.revision
    )
    async for batch in stream:
        for event in batch:
            if event.object is None:
                continue
            if asked.chosen.table:
                click.echo("\n".join(lines([], [table.row(event.object, time.time())])))
            else:
                printer.show([(named.kind, event.object)], asked.chosen, single=True)
