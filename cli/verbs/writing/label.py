"""`holdfast label` and `holdfast annotate`: KEY=VALUE sets, KEY- removes; one merge patch each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import completing, session
from holdfast.cli.failures import Failures
from holdfast.cli.input import naming
from holdfast.cli.input.naming import Named
from holdfast.cli.output import outcomes, printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


def split(words: Iterable[str]) -> tuple[list[str], dict[str, str | None]]:
    """What comes first names objects, then come KEY=VALUE and KEY- (None: remove).

    Raises click.UsageError for other words, and for a key that is both set and removed.
    """
    names: list[str] = []
    changes: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and word.endswith("-") and names:
            key = word[:-1]
        elif not equals and not changes:
            names.append(word)
            continue
        elif not equals or not key:
            raise click.UsageError(f'"{word}" is neither KEY=VALUE nor KEY-')
        if key in changes:
            raise click.UsageError(f'"{key}" is given twice')
        changes[key] = value if equals else None
    return names, changes


def _verb(name: str, field: str, done: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument("words", nargs=-1, required=True, shell_complete=completing.objects)
    @session.flags
    @click.option("--overwrite", is_flag=True, help="A key that has another value may change.")
    @click.option("-l", "--selector", default="", help="Those with these labels.")
    @click.option("--all", "everything", is_flag=True, help="Every object of the type.")
    @click.option("--list", "show", is_flag=True, help="Show them, change nothing.")
    def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
        names, changes = split(words)
        if bool(changes) == given["show"]:
            raise click.UsageError("give KEY=VALUE to set, KEY- to remove, or --list (one of them)")
        wanted = naming.targets(tuple(names))
        failures = Failures()

        async def work(client: Client) -> None:
            for kind, message in await _objects(client, target, wanted, given, failures):
                have = dict(getattr(message.metadata, field))
                if given["show"]:
                    click.echo("\n".join(f"{key}={value}" for key, value in sorted(have.items())))
                    continue
                with failures.noted():
                    _check(kind, message, have, changes, overwrite=given["overwrite"])
                    changed = any(have.get(key) != value for key, value in changes.items())
                    if changed:
                        body = json.dumps({"metadata": {field: changes}}).encode()
                        where = (kind.resource, message.metadata.name, message.metadata.namespace)
                        await client.patch(*where, "merge", body)
                    word = done if changed else f"not {done}"
                    click.echo(outcomes.line(kind, message.metadata.name, word))

        session.run(target, work, f"kubectl-{name}")
        failures.end()

    return command


def _check(
    kind: Kind,
    message: Any,
    have: Mapping[str, str],
    changes: Mapping[str, str | None],
    *,
    overwrite: bool,
) -> None:
    for key, value in changes.items():
        if not overwrite and value is not None and have.get(key, value) != value:
            full = printer.full_name(kind, message.metadata.name)
            text = f"{full} already has {key}={have.get(key)}: add --overwrite to change it"
            raise ApiError(Reason.CONFLICT, text)


async def _objects(
    client: Client,
    target: Target,
    wanted: list[Named],
    given: dict[str, Any],
    failures: Failures,
) -> list[tuple[Kind, Any]]:
    """The objects meant by names, by -l or by --all."""
    found: list[tuple[Kind, Any]] = []
    for named in wanted:
        namespace = target.namespace if named.kind.namespaced else ""
        for name in named.names:
            with failures.noted():
                found.append((named.kind, await client.get(named.kind.resource, name, namespace)))
        if named.names:
            continue
        if not given["selector"] and not given["everything"]:
            raise click.UsageError(f"say which {named.kind.plural}: names, -l SELECTOR or --all")
        listed = await client.list(named.kind.resource, namespace, labels=given["selector"])
        found += [(named.kind, message) for message in listed.objects]
    return found


label = _verb("label", "labels", "labeled", "Set or remove labels: TYPE/NAME KEY=VALUE KEY-.")
annotate = _verb(
    "annotate", "annotations", "annotated", "Set or remove annotations: TYPE/NAME KEY=VALUE KEY-."
)
