"""`holdfast wait --for=condition=Ready pod/x`: until something holds, by watch.

Forms of --for, as kubectl's: `condition=NAME[=VALUE]`, `jsonpath={.path}[=VALUE]`, `delete`,
`create`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import completing, session
from holdfast.cli.input.naming import Named
from holdfast.cli.output import jsonpath, printer
from holdfast.cli.progress import Progress
from holdfast.cli.session import Target
from holdfast.cli.verbs.reading import targets
from holdfast.cli.waiting import length, states

if TYPE_CHECKING:
    from holdfast.api.client import Client

Holds = Callable[[dict[str, Any] | None], bool]
"""Judges an object's JSON; None = it does not exist."""


class Item(NamedTuple):
    """One object to wait for."""

    kind: Kind
    name: str
    namespace: str


@click.command("wait")
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@targets.flags
@session.flags
@click.option("--for", "condition", required=True, help="condition=Ready, jsonpath=…, delete.")
@click.option("-l", "--selector", default="", help="Every one with these labels.")
@click.option("--all", "everything", is_flag=True, help="Every object of the type.")
@click.option("--timeout", type=length, default="30s", help="0s: look once, do not wait.")
def command(target: Target, words: tuple[str, ...], condition: str, **given: Any) -> None:
    """Wait until a condition holds for TYPE/NAME…, TYPE -l SELECTOR or -f FILE."""
    wish = Wish(condition, parse(condition))
    wanted = targets.of(target, words, given)
    for named in wanted:
        if not named.names and not given["selector"] and not given["everything"]:
            raise click.UsageError(
                f"say which {named.kind.plural}: names, -l SELECTOR or --all (one of them)"
            )

    async def work(client: Client) -> None:
        found = [item for named in wanted for item in await _objects(client, target, named, given)]
        if not found and not wish.gone:
            raise ApiError(Reason.NOT_FOUND, "no matching resources found")
        if given["timeout"]:
            await _await_all(client, found, wish, given["timeout"])
        else:
            await _look(client, found, wish)

    session.run(target, work)


@dataclass(frozen=True, slots=True)
class Wish:
    """What --for says. text: as given; holds: whether an object is so."""

    text: str
    holds: Holds

    @property
    def gone(self) -> bool:
        """The object is to go away."""
        return self.text == "delete"

    @property
    def may_come(self) -> bool:
        """The object need not be there yet."""
        return self.text in ("create", "delete")


async def _await_all(client: Client, found: list[Item], wish: Wish, timeout_s: float) -> None:
    """Say each object for which the wish came true; return when all are.

    Raises ApiError Timeout naming those that are left, NotFound for one that goes away.
    """
    left = dict.fromkeys(found)

    async def one(item: Item) -> None:
        async for message in states(client, item.kind.resource, item.name, item.namespace):
            if message is None and not wish.may_come:
                raise ApiError(Reason.NOT_FOUND, f'{item.kind.resource} "{item.name}" not found')
            if wish.holds(None if message is None else printer.tree(item.kind, message)):
                del left[item]
                progress.echo(f"{printer.full_name(item.kind, item.name)} condition met")
                progress.text(_waiting_for(left, wish))
                return

    async with Progress(_waiting_for(left, wish)) as progress:
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(*map(one, found))
        except TimeoutError:
            names = ", ".join(printer.full_name(item.kind, item.name) for item in left)
            message = f"timed out after {timeout_s:g} s waiting for {wish.text} of {names}"
            raise ApiError(Reason.TIMEOUT, message) from None


async def _look(client: Client, found: list[Item], wish: Wish) -> None:
    """--timeout=0s: judge what is there now."""
    for item in found:
        try:
            message = await client.get(item.kind.resource, item.name, item.namespace)
        except ApiError as error:
            if error.reason is not Reason.NOT_FOUND or not wish.may_come:
                raise
            message = None
        full = printer.full_name(item.kind, item.name)
        if not wish.holds(None if message is None else printer.tree(item.kind, message)):
            raise ApiError(Reason.TIMEOUT, f"{wish.text} does not hold for {full}")
        click.echo(f"{full} condition met")


def _waiting_for(left: dict[Item, None], wish: Wish) -> str:
    return f"waiting for {wish.text}: {len(left)} to go"


def parse(text: str) -> Holds:
    """The --for flag. Raises click.UsageError naming the forms there are."""
    form, _, rest = text.partition("=")
    if text == "delete":
        return lambda tree: tree is None
    if text == "create":
        return lambda tree: tree is not None
    if form == "condition" and rest:
        name, _, value = rest.partition("=")
        return lambda tree: _condition(tree, name) == (value or "true").lower()
    if form == "jsonpath" and rest:
        path, end, value = rest.partition("}")
        wanted = value.removeprefix("=") if end else ""
        return lambda tree: _matches(jsonpath.values(path + end, tree), wanted)
    raise click.UsageError(
        f"--for={text} is not understood: write condition=NAME[=VALUE], jsonpath={{.path}}[=VALUE],"
        " delete or create",
    )


def _condition(tree: dict[str, Any] | None, name: str) -> str:
    for condition in (tree or {}).get("status", {}).get("conditions") or []:
        if condition.get("type", "").lower() == name.lower():
            return str(condition.get("status", "")).lower()
    return ""


def _matches(values: list[Any], wanted: str) -> bool:
    if not wanted:
        return bool(values)
    return any((str(v).lower() if isinstance(v, bool) else str(v)) == wanted for v in values)


async def _objects(
    client: Client, target: Target, named: Named, given: dict[str, Any]
) -> list[Item]:
    namespace = (named.namespace or target.namespace) if named.kind.namespaced else ""
    names = list(named.names)
    if not names:
        listed = await client.list(named.kind.resource, namespace, labels=given["selector"])
        names = [message.metadata.name for message in listed.objects]
    return [Item(named.kind, name, namespace) for name in names]
