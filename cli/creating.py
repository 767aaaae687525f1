"""Sending new objects: what `create`, `run` and `expose` share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.api import codec
from holdfast.api.kinds import Kind
from holdfast.cli import session
from holdfast.cli.failures import Failures
from holdfast.cli.output import outcomes
from holdfast.cli.progress import Progress
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


class New(NamedTuple):
    """One object to create. source: "web.yaml:12", "" when it was made from flags."""

    kind: Kind
    message: Any
    source: str = ""


async def send(client: Client, namespace: str, found: Iterable[New], given: dict[str, Any]) -> None:
    """Create objects and say so, or show them with -o. One that is refused does not stop the
    others; it ends the process with an error at the end.

    namespace: for those that name none. given: `outcomes.flags`.
    """
    failures = Failures()
    dry_run, chosen = given["dry_run"], given["output"]
    made = []
    async with Progress("creating") as progress:
        for kind, message, source in found:
            where = (message.metadata.namespace or namespace) if kind.namespaced else ""
            progress.text(f"creating {message.metadata.name}")
            with failures.noted(source):
                if dry_run != "client":
                    server = dry_run == "server"
                    message = await client.create(kind.resource, message, where, dry_run=server)
                made.append((kind, message))
                if chosen.table:
                    name = message.metadata.name or message.metadata.generateName
                    progress.echo(outcomes.line(kind, name, "created", dry_run))
    outcomes.show(made, chosen)
    failures.end()


def from_tree(tree: dict[str, Any]) -> New:
    """The object of a JSON tree made from flags."""
    kind, message = codec.decode_object(tree)
    return New(kind, message)


def create(target: Target, new: Iterable[New], given: dict[str, Any], manager: str) -> None:
    """Create objects and end. manager: "kubectl-create"."""
    session.run(target, lambda client: send(client, target.namespace, new, given), manager)
