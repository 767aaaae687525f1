"""`holdfast label` and `holdfast annotate`: KEY=VALUE sets, KEY- removes; one merge patch each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import naming, session
from holdfast.cli.naming import Named
from holdfast.cli.output import printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


def split(words: Iterable[str]) -> tuple[list[str], dict[str, str | None]]:
    """What comes first names objects, then come KEY=VALUE and KEY- (None: remove)."""
    names: list[str] = []
    changes: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key:
            changes[key] = value
        elif word.endswith("-") and "/" not in word.split("-")[0] and names:
            changes[word[:-1]] = None
        elif changes:
            message = f'"{word}" is neither KEY=VALUE nor KEY-'
            raise ApiError(Reason.BAD_REQUEST, message)
        else:
            names.append(word)
    if not changes:
        raise ApiError(Reason.BAD_REQUEST, "say what to change: KEY=VALUE to set, KEY- to remove")
    return names, changes


def _verb(name: str, field: str, done: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument("words", nargs=-1, required=True)
    @session.flags
    @click.option("--overwrite", is_flag=True, help="A key that has another value may change.")
    @click.option("-l", "--selector", default="")
    @click.option("--all", "everything", is_flag=True)
    @click.option("--list", "show", is_flag=True, help="Show them.")
    def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
        names, changes = (list(words), {}) if given["show"] else split(words)
        wanted = naming.targets(tuple(names))

        async def work(client: Client) -> None:
            for named, message in await objects(client, target, wanted, given):
                have = dict(getattr(message.metadata, field))
                full = printer.full_name(named.kind, message.metadata.name)
                if given["show"]:
                    click.echo("\n".join(f"{key}={value}" for key, value in sorted(have.items())))
                    continue
                _check(full, have, changes, overwrite=given["overwrite"])
                if all(have.get(key) == value for key, value in changes.items()):
                    click.echo(f"{full} not {done}")
                    continue
                body = json.dumps({"metadata": {field: changes}}).encode()
                where = (named.kind.resource, message.metadata.name, message.metadata.namespace)
                await client.patch(*where, "merge", body)
                click.echo(f"{full} {done}")

        session.run(target, work, f"kubectl-{name}")

    return command


def _check(
    full: str, have: Mapping[str, str], changes: Mapping[str, str | None], *, overwrite: bool
) -> None:
    for key, value in changes.items():
        if not overwrite and value is not None and have.get(key, value) != value:
            message = f"{full} already has {key}={have.get(key)}: add --overwrite to change it"
            raise ApiError(Reason.CONFLICT, message)


async def objects(
    client: Client, target: Target, wanted: list[Named], given: dict[str, Any]
) -> list[tuple[Named, Any]]:
    """The objects meant by names, by -l or by --all."""
    found: list[tuple[Named, Any]] = []
    for named in wanted:
        namespace = target.namespace if named.kind.namespaced else ""
        resource = named.kind.resource
        found += [(named, await client.get(resource, name, namespace)) for name in named.names]
        if named.names:
            continue
        if not given["selector"] and not given["everything"]:
            message = f"say which {named.kind.plural}: names, -l SELECTOR or --all"
            raise ApiError(Reason.BAD_REQUEST, message)
        listed = await client.list(named.kind.resource, namespace, labels=given["selector"])
        found += [(named, message) for message in listed.objects]
    return found


label = _verb("label", "labels", "labeled", "Set or remove labels: TYPE/NAME KEY=VALUE KEY-.")
annotate = _verb(
    "annotate", "annotations", "annotated", "Set or remove annotations: TYPE/NAME KEY=VALUE KEY-."
)
