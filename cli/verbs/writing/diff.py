"""`holdfast diff`: what `apply` would change, as the server would store it (dry run).

Exit codes as kubectl's: 0 nothing differs, 1 something does, 2 it could not be told.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import failures, session
from holdfast.cli.input import manifests, merging
from holdfast.cli.input.manifests import Manifest
from holdfast.cli.output import printer
from holdfast.cli.progress import Progress
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client
    from holdfast.api.kinds import Kind

DIFFERS, FAILED = 1, 2
_CHANGED_BY_WRITES = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


@click.command("diff")
@manifests.flags
@session.flags
def command(target: Target, **given: Any) -> None:
    """Show what `apply -f FILE` would change. Exit code 1 when there is a difference."""
    differences: list[str] = []

    async def work(client: Client) -> None:
        async with Progress("comparing"):
            for manifest in found:
                manifest.need_name("diff")
                differences.extend(await _difference(client, manifest))

    try:
        found = manifests.read(target, given)
        session.run(target, work, "kubectl-diff")
    except ApiError as error:
        failures.say(error.message)
        sys.exit(FAILED)
    if differences:
        click.echo("\n".join(differences))
        sys.exit(DIFFERS)


async def _difference(client: Client, manifest: Manifest) -> list[str]:
    """The unified difference between what is there and what would be."""
    import difflib

    where = (manifest.resource, manifest.name, manifest.namespace)
    before: list[str] = []
    try:
        current = await client.get(*where)
    except ApiError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        message = merging.annotated(manifest)
        after = await client.create(manifest.resource, message, manifest.namespace, dry_run=True)
    else:
        before = _lines(manifest.kind, current)
        body = merging.to_bytes(merging.patch_of(manifest, current))
        after = await client.patch(*where, "strategic", body, dry_run=True)
    name = printer.full_name(manifest.kind, manifest.name)
    lines = _lines(manifest.kind, after)
    return list(difflib.unified_diff(before, lines, f"live {name}", f"new {name}", lineterm=""))


def _lines(kind: Kind, message: Any) -> list[str]:
    """The object without what every write changes."""
    from holdfast.api import codec

    tree = printer.tree(kind, message)
    metadata = tree.get("metadata", {})
    for field in _CHANGED_BY_WRITES:
        metadata.pop(field, None)
    annotations = metadata.get("annotations") or {}
    annotations.pop(merging.LAST_APPLIED, None)
    if not annotations:
        metadata.pop("annotations", None)
    return codec.dump_yaml(tree).splitlines()
