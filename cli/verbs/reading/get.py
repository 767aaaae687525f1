"""`holdfast get`: objects as a table, YAML, JSON, names or a template; -w follows them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, session
from holdfast.cli.failures import Failures
from holdfast.cli.input.naming import Named
from holdfast.cli.output import printer
from holdfast.cli.output.table import Table, lines, widths
from holdfast.cli.session import Target
from holdfast.cli.verbs.reading import targets

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
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@targets.flags
@session.flags
@printer.flag
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option("-l", "--selector", default="", help="Label selector: app=web,tier!=db.")
@click.option("--field-selector", default="", help="For example spec.nodeName=node-1.")
@click.option("--sort-by", default="", help="A JSONPath: .metadata.creationTimestamp.")
@click.option("-w", "--watch", is_flag=True, help="Then print each change.")
@click.option("--watch-only", is_flag=True, help="Print each change only.")
@click.option("--no-headers", is_flag=True, help="Rows only.")
@click.option("--show-labels", is_flag=True, help="A last column with all labels.")
@click.option("-L", "--label-columns", multiple=True, help="A column for this label.")
@click.option("--ignore-not-found", is_flag=True, help="A missing name is no error.")
def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Show objects: TYPE, TYPE NAME…, TYPE/NAME… or -f FILE (`get pods`, `get deploy/web`)."""
    wanted = targets.of(target, words, given)
    asked = Asked(
        namespace="" if given["all_namespaces"] else target.namespace,
        labels=given["selector"],
        fields=given["field_selector"],
        chosen=given["output"],
        sort_by=given["sort_by"],
        headers=not given["no_headers"],
        show_labels=given["show_labels"],
        label_columns=tuple(name for text in given["label_columns"] for name in text.split(",")),
        ignore_not_found=given["ignore_not_found"],
    )
    named = any(item.names for item in wanted)
    if named and (asked.labels or asked.fields):
        raise click.UsageError("name objects or give a selector, not both")
    if named and given["all_namespaces"]:
        raise click.UsageError("an object cannot be named across all namespaces: give -n, not -A")
    if given["watch"] or given["watch_only"]:
        if len(wanted) != 1 or len(wanted[0].names) > 1:
            raise click.UsageError("-w follows one type, or one object")
        only = bool(given["watch_only"])
        session.run(target, lambda client: follow(client, wanted[0], asked, only=only))
        return
    failures = Failures()
    session.run(target, lambda client: show(client, wanted, asked, failures))
    failures.end()


async def show(client: Client, wanted: Sequence[Named], asked: Asked, failures: Failures) -> None:
    """Read and print everything once. A name that is not there is noted as a failure."""
    found = [(named, await fetch(client, named, asked, failures)) for named in wanted]
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
    if not shown and not asked.ignore_not_found and not failures.count:
        where = f" in {asked.namespace} namespace" if asked.namespace else ""
        namespaced = any(named.kind.namespaced for named in wanted)
        click.echo(f"No resources found{where if namespaced else ''}.", err=True)


async def fetch(client: Client, named: Named, asked: Asked, failures: Failures) -> list[Any]:
    """The objects of one target, sorted as asked."""
    kind = named.kind
    messages: list[Any] = []
    for name in named.names:
        with failures.noted():
            try:
                messages.append(await client.get(kind.resource, name, _namespace(named, asked)))
            except ApiError as error:
                if not (asked.ignore_not_found and error.reason is Reason.NOT_FOUND):
                    raise
    if not named.names:
        messages = (await _list(client, named, asked)).objects
    if asked.sort_by:
        messages.sort(key=lambda message: _sort_key(printer.tree(kind, message), asked.sort_by))
    return messages


def _namespace(named: Named, asked: Asked) -> str:
    return (named.namespace or asked.namespace) if named.kind.namespaced else ""


async def _list(client: Client, named: Named, asked: Asked) -> Listed:
    fields = f"metadata.name={named.names[0]}" if named.names else asked.fields
    namespace = _namespace(named, asked)
    return await client.list(named.kind.resource, namespace, labels=asked.labels, fields=fields)


def _sort_key(tree: dict[str, Any], path: str) -> tuple[int, float, str]:
    """Absent first, then numbers, then text."""
    from holdfast.cli.output import jsonpath

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
    click.echo("\n".join(lines(table.header() if asked.headers else [], rows)))


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
    kind = named.kind
    listed = await _list(client, named, asked)
    if named.names and not listed.objects:
        await client.get(kind.resource, named.names[0], _namespace(named, asked))  # says NotFound
    screen = _Screen(named, asked)
    if not only and listed.objects:
        screen.print(listed.objects)
    fields = f"metadata.name={named.names[0]}" if named.names else asked.fields
    stream = client.watch(
        kind.resource,
        _namespace(named, asked),
        labels=asked.labels,
        fields=fields,
        after=listed.revision,
    )
    async for batch in stream:
        screen.print([event.object for event in batch if event.object is not None])


class _Screen:
    """What `-w` has printed so far: later rows stand below the first ones."""

    def __init__(self, named: Named, asked: Asked) -> None:
        self._kind = named.kind
        self._asked = asked
        self._table = _table(named, asked)
        self._header = self._table.header() if asked.headers else []
        self._widths: list[int] = []

    def print(self, messages: Sequence[Any]) -> None:
        """Print objects; the header once, before the first rows."""
        if not messages:
            return
        if not self._asked.chosen.table:
            found = [(self._kind, message) for message in messages]
            printer.show(found, self._asked.chosen, single=True)
            return
        now = time.time()
        rows = [self._table.row(message, now) for message in messages]
        click.echo("\n".join(lines(self._header, rows, self._widths)))
        if not self._widths:
            self._widths = widths([self._header, *rows] if self._header else rows)
        self._header = []
