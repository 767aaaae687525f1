"""`holdfast apply`: make the cluster equal to files, keeping what others set.

The three-way merge of kubectl's client-side apply: what the annotation says was applied before,
what the file says now, what is there. So a field removed from the file is removed, and one that
a controller set stays. All files are read before the first write; an object that is refused does
not stop the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import session
from holdfast.cli.failures import Failures
from holdfast.cli.input import manifests, merging
from holdfast.cli.input.manifests import Manifest
from holdfast.cli.output import outcomes
from holdfast.cli.progress import Progress
from holdfast.cli.session import Target
from holdfast.cli.verbs.writing import pruning

if TYPE_CHECKING:
    from holdfast.api.client import Client

MANAGER = "kubectl-client-side-apply"
ATTEMPTS_MAX = 5


@click.command("apply")
@manifests.flags
@session.flags
@outcomes.flags
@click.option("-l", "--selector", default="", help="Only these; with --prune, its scope.")
@click.option("--prune", is_flag=True, help="Delete what was applied before and is missing now.")
@click.option("--all", "everything", is_flag=True, help="With --prune and no -l: every label.")
def command(target: Target, **given: Any) -> None:
    """Make objects as the files say: create what is missing, change what differs."""
    if given["prune"] and bool(given["selector"]) == given["everything"]:
        raise click.UsageError("--prune needs -l SELECTOR or --all as its scope (one of them)")
    if given["everything"] and not given["prune"]:
        raise click.UsageError("--all is the scope of --prune, which is not given")
    found = _selected(manifests.read(target, given), given["selector"])
    for manifest in found:
        manifest.need_name("apply")
    failures = Failures()
    session.run(target, lambda client: _apply(client, found, given, failures), MANAGER)
    failures.end()


async def _apply(
    client: Client, found: list[Manifest], given: dict[str, Any], failures: Failures
) -> None:
    chosen, dry_run = given["output"], given["dry_run"]
    done = []
    async with Progress("applying") as progress:
        for number, manifest in enumerate(found, 1):
            progress.text(f"applying {number} of {len(found)}: {manifest.name}")
            with failures.noted(manifest.source):
                verb, message = await _apply_one(client, manifest, dry_run)
                done.append((manifest.kind, message))
                if chosen.table:
                    progress.echo(outcomes.line(manifest.kind, manifest.name, verb, dry_run))
        outcomes.show(done, chosen)
        # What was refused is in the files all the same: it is no reason to delete it.
        if given["prune"]:
            scope = pruning.Scope(tuple(found), given["selector"], dry_run)
            await pruning.prune(client, scope, progress)


def _selected(found: list[Manifest], selector: str) -> list[Manifest]:
    """Those whose labels match."""
    if not selector:
        return found
    from holdfast.api import selectors

    wanted = selectors.parse_labels(selector)
    return [manifest for manifest in found if wanted.matches(manifest.message.metadata.labels)]


async def _apply_one(client: Client, manifest: Manifest, dry_run: str) -> tuple[str, Any]:
    """Create or patch one object. Returns "created", "configured" or "unchanged", and it."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            return await _apply_once(client, manifest, dry_run)
        except ApiError as error:
            raced = error.reason in (Reason.ALREADY_EXISTS, Reason.CONFLICT)
            if not raced or attempt == ATTEMPTS_MAX - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _apply_once(client: Client, manifest: Manifest, dry_run: str) -> tuple[str, Any]:
    namespace = manifest.namespace
    server = dry_run == "server"
    try:
        current = await client.get(manifest.resource, manifest.name, namespace)
    except ApiError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        message = merging.annotated(manifest)
        if dry_run == "client":
            return "created", message
        return "created", await client.create(manifest.resource, message, namespace, dry_run=server)
    body = merging.patch_of(manifest, current)
    if not body:
        return "unchanged", current
    if dry_run == "client":
        return "configured", merging.annotated(manifest)
    message = await client.patch(
        manifest.resource,
        manifest.name,
        namespace,
        "strategic",
        merging.to_bytes(body),
        dry_run=server,
    )
    same = message.metadata.resourceVersion == current.metadata.resourceVersion
    return "unchanged" if same else "configured", message
