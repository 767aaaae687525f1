"""`holdfast set image|env|resources`: one field of the containers of a workload."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import completing, session
from holdfast.cli.failures import Failures
from holdfast.cli.input import making, naming
from holdfast.cli.output import outcomes, printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

Change = Callable[[Any], dict[str, Any] | None]
"""A container in, the fields of it to patch out; None: leave it."""
TEMPLATED = ("deployments.apps", "replicasets.apps")

words_argument = click.argument("words", nargs=-1, shell_complete=completing.objects)


@click.group("set")
def command() -> None:
    """Change images, environment or resources of containers."""


def _objects(words: Iterable[str]) -> list[tuple[Kind, str]]:
    """TYPE/NAME… or TYPE NAME…: things that have containers."""
    found = [(n.kind, name) for n in naming.targets(tuple(words)) for name in n.names]
    if not found:
        raise click.UsageError("name the object: TYPE/NAME")
    for kind, _ in found:
        if kind.resource not in (*TEMPLATED, "pods"):
            raise ApiError(Reason.BAD_REQUEST, f"{kind.plural} have no containers")
    return found


def _split(words: tuple[str, ...]) -> tuple[list[tuple[Kind, str]], list[str]]:
    """The objects, then KEY=VALUE and KEY- words."""
    rest = [word for word in words if "=" in word or word.endswith("-")]
    return _objects(word for word in words if word not in rest), rest


def _apply(target: Target, objects: list[tuple[Kind, str]], change: Change, done: str) -> None:
    """Patch the containers that `change` has fields for, and say so."""
    failures = Failures()

    async def work(client: Client) -> None:
        for kind, name in objects:
            with failures.noted():
                await _patch(client, kind, name, target.namespace, change)
                click.echo(outcomes.line(kind, name, done))

    session.run(target, work, "kubectl-set")
    failures.end()


async def _patch(client: Client, kind: Kind, name: str, namespace: str, change: Change) -> None:
    """Raises ApiError NotFound when no container is meant."""
    message = await client.get(kind.resource, name, namespace)
    templated = kind.resource in TEMPLATED
    spec = message.spec.template.spec if templated else message.spec
    containers = (*spec.containers, *spec.initContainers)
    changed = {c.name: fields for c in containers if (fields := change(c)) is not None}
    if not changed:
        names = ", ".join(c.name for c in containers)
        full = printer.full_name(kind, name)
        raise ApiError(Reason.NOT_FOUND, f"{full} has no such container; it has {names}")
    body: dict[str, Any] = {
        field: [{"name": c.name, **changed[c.name]} for c in found if c.name in changed]
        for field, found in (
            ("containers", spec.containers),
            ("initContainers", spec.initContainers),
        )
        if any(c.name in changed for c in found)
    }
    body = {"spec": {"template": {"spec": body}}} if templated else {"spec": body}
    await client.patch(kind.resource, name, namespace, "strategic", json.dumps(body).encode())


@command.command("image")
@words_argument
@session.flags
def image(target: Target, words: tuple[str, ...]) -> None:
    """Set images: TYPE/NAME CONTAINER=IMAGE… (`*=IMAGE`: every container)."""
    objects, rest = _split(words)
    images = making.pairs(rest, "set image")
    if not images:
        raise click.UsageError("give CONTAINER=IMAGE")

    def change(container: Any) -> dict[str, Any] | None:
        wanted = images.get(container.name, images.get("*"))
        return None if wanted is None else {"image": wanted}

    _apply(target, objects, change, "image updated")


@command.command("env")
@words_argument
@session.flags
@click.option("-c", "--containers", default="*", help="Only this container.")
def env(target: Target, words: tuple[str, ...], containers: str) -> None:
    """Set or remove environment variables: TYPE/NAME KEY=VALUE KEY-."""
    objects, rest = _split(words)
    if not rest:
        raise click.UsageError("give KEY=VALUE to set or KEY- to remove")
    wanted = making.pairs([word for word in rest if "=" in word], "set env")
    entries: list[dict[str, Any]] = [{"name": k, "value": v} for k, v in wanted.items()]
    entries += [{"name": word[:-1], "$patch": "delete"} for word in rest if "=" not in word]

    def change(container: Any) -> dict[str, Any] | None:
        return {"env": entries} if containers in ("*", container.name) else None

    _apply(target, objects, change, "env updated")


@command.command("resources")
@words_argument
@session.flags
@click.option("-c", "--containers", default="*", help="Only this container.")
@click.option("--requests", default="", help="cpu=100m,memory=64Mi")
@click.option("--limits", default="", help="memory=64Mi")
def resources(
    target: Target, words: tuple[str, ...], containers: str, requests: str, limits: str
) -> None:
    """Set requests and limits of containers: TYPE/NAME --requests=cpu=100m --limits=…"""
    objects = _objects(words)
    fields = {
        name: making.pairs(text.split(","), f"--{name}")
        for name, text in (("requests", requests), ("limits", limits))
        if text
    }
    if not fields:
        raise click.UsageError("give --requests or --limits")

    def change(container: Any) -> dict[str, Any] | None:
        return {"resources": fields} if containers in ("*", container.name) else None

    _apply(target, objects, change, "resource requirements updated")
