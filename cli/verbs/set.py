"""`holdfast set image|env|resources`: one field of the containers of a workload."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import making, naming, session
from holdfast.cli.output import printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

Change = Callable[[Any], dict[str, Any] | None]
"""A container in, the fields of it to patch out; None: leave it."""


@click.group("set")
def command() -> None:
    """Change images, environment or resources of containers."""


def _objects(words: tuple[str, ...]) -> tuple[list[tuple[Kind, str]], list[str]]:
    """TYPE/NAME… or TYPE NAME, then the rest of the words."""
    rest = [word for word in words if "=" in word or word.endswith("-")]
    names = tuple(word for word in words if word not in rest)
    found = [(n.kind, name) for n in naming.targets(names) for name in n.names]
    if not found:
        raise ApiError(Reason.BAD_REQUEST, "name the object: TYPE/NAME")
    return found, rest


def _apply(target: Target, objects: list[tuple[Kind, str]], change: Change, done: str) -> None:
    async def work(client: Client) -> None:
        for kind, name in objects:
            message = await client.get(kind.resource, name, target.namespace)
            template = kind.resource != "pods"
            spec = message.spec.template.spec if template else message.spec
            changed = [
                {"name": c.name, **fields}
                for c in spec.containers
                if (fields := change(c)) is not None
            ]
            if not changed:
                raise ApiError(
                    Reason.NOT_FOUND, f"{printer.full_name(kind, name)}: no such container"
                )
            body: dict[str, Any] = {"spec": {"containers": changed}}
            body = {"spec": {"template": body}} if template else body
            patch = json.dumps(body).encode()
            await client.patch(kind.resource, name, target.namespace, "strategic", patch)
            click.echo(f"{printer.full_name(kind, name)} {done}")

    session.run(target, work, "kubectl-set")


@command.command("image")
@click.argument("words", nargs=-1)
@session.flags
def image(target: Target, words: tuple[str, ...]) -> None:
    """Set images: TYPE/NAME CONTAINER=IMAGE… (`*=IMAGE`: every container)."""
    objects, rest = _objects(words)
    images = making.pairs(rest, "set image")
    if not images:
        raise ApiError(Reason.BAD_REQUEST, "give CONTAINER=IMAGE")

    def change(container: Any) -> dict[str, Any] | None:
        wanted = images.get(container.name, images.get("*"))
        return None if wanted is None else {"image": wanted}

    _apply(target, objects, change, "image updated")


@command.command("env")
@click.argument("words", nargs=-1)
@session.flags
@click.option("-c", "--containers", default="*", help="Only this container.")
def env(target: Target, words: tuple[str, ...], containers: str) -> None:
    """Set or remove environment variables: TYPE/NAME KEY=VALUE KEY-."""
    objects, rest = _objects(words)
    if not rest:
        raise ApiError(Reason.BAD_REQUEST, "give KEY=VALUE to set or KEY- to remove")
    wanted = making.pairs([word for word in rest if "=" in word], "set env")
    entries: list[dict[str, Any]] = [{"name": k, "value": v} for k, v in wanted.items()]
    entries += [{"name": word[:-1], "$patch": "delete"} for word in rest if "=" not in word]

    def change(container: Any) -> dict[str, Any] | None:
        return {"env": entries} if containers in ("*", container.name) else None

    _apply(target, objects, change, "env updated")


@command.command("resources")
@click.argument("words", nargs=-1)
@session.flags
@click.option("-c", "--containers", default="*")
@click.option("--requests", default="", help="cpu=100m,memory=64Mi")
@click.option("--limits", default="")
def resources(
    target: Target, words: tuple[str, ...], containers: str, requests: str, limits: str
) -> None:
    """Set requests and limits of containers: TYPE/NAME --requests=cpu=100m --limits=…"""
    objects = [(n.kind, name) for n in naming.targets(words) for name in n.names]
    fields = {
        name: making.pairs(text.split(","), f"--{name}")
        for name, text in (("requests", requests), ("limits", limits))
        if text
    }
    if not fields or not objects:
        raise ApiError(Reason.BAD_REQUEST, "give TYPE/NAME and --requests or --limits")

    def change(container: Any) -> dict[str, Any] | None:
        return {"resources": fields} if containers in ("*", container.name) else None

    _apply(target, objects, change, "resource requirements updated")
