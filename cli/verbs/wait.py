"""`holdfast wait --for=condition=Ready pod/x`: until something holds, by watch.

Forms of --for, as kubectl's: `condition=NAME[=VALUE]`, `jsonpath={.path}[=VALUE]`, `delete`,
`create`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import naming, session
from holdfast.cli.output import jsonpath, printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

Holds = Callable[[dict[str, Any] | None], bool]
"""Judges an object's JSON; None = it does not exist."""


@click.command("wait")
@click.argument("words", nargs=-1)
@session.flags
@click.option("--for", "condition", required=True, help="condition=Ready, jsonpath=…, delete.")
@click.option("-l", "--selector", default="")
@click.option("--all", "everything", is_flag=True)
@click.option("--timeout", default="30s", help="0s: look once.")
def command(
    target: Target,
    words: tuple[str, ...],
    condition: str,
    selector: str,
    everything: bool,
    timeout: str,
) -> None:
    """Wait until a condition holds for TYPE/NAME… or TYPE -l SELECTOR."""
    from holdfast.cli import waiting

    holds = parse(condition)
    gone = condition == "delete"
    timeout_s = waiting.seconds(timeout, "--timeout")

    async def work(client: Client) -> None:
        wanted = await _objects(client, target, words, selector, everything)
        if not wanted and not gone:
            raise ApiError(Reason.NOT_FOUND, "no matching resources found")

        async def one(kind: Kind, name: str, namespace: str) -> None:
            async for message in waiting.states(client, kind.resource, name, namespace):
                if message is None and not gone and condition != "create":
                    raise ApiError(Reason.NOT_FOUND, f'{kind.resource} "{name}" not found')
                if holds(None if message is None else printer.tree(kind, message)):
                    click.echo(f"{printer.full_name(kind, name)} condition met")
                    return

        try:
            async with asyncio.timeout(max(timeout_s, 1.0)):
                await asyncio.gather(*(one(*item) for item in wanted))
        except TimeoutError:
            message = f"timed out after {timeout} waiting for {condition}"
            raise ApiError(Reason.TIMEOUT, message) from None

    session.run(target, work)


def parse(text: str) -> Holds:
    """The --for flag. Raises ApiError naming the forms there are."""
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
    raise ApiError(
        Reason.BAD_REQUEST,
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
    client: Client, target: Target, words: tuple[str, ...], selector: str, everything: bool
) -> list[tuple[Kind, str, str]]:
    found: list[tuple[Kind, str, str]] = []
    for named in naming.targets(words):
        namespace = target.namespace if named.kind.namespaced else ""
        names = list(named.names)
        if not names and not selector and not everything:
            message = f"say which {named.kind.plural}: names, -l SELECTOR or --all"
            raise ApiError(Reason.BAD_REQUEST, message)
        if not names:
            listed = await client.list(named.kind.resource, namespace, labels=selector)
            names = [message.metadata.name for message in listed.objects]
        found += [(named.kind, name, namespace) for name in names]
    return found
