"""`holdfast apply`: make the cluster equal to files, keeping what others set.

The three-way merge of kubectl's client-side apply: what the annotation says was applied before,
what the file says now, what is there. So a field removed from the file is removed, and one that
a controller set stays. With --prune, objects applied before under the same labels and missing
from the files are deleted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from holdfast.api import codec, kinds, patches
from holdfast.api.errors import ApiError, Reason
from holdfast.cli import manifests, session
from holdfast.cli.manifests import Manifest
from holdfast.cli.output import printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""kubectl's own annotation, so that both tools may apply the same object in turn."""
MANAGER = "kubectl-client-side-apply"
ATTEMPTS_MAX = 5
DRY_RUN_NOTES = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


@click.command("apply")
@manifests.flags
@session.flags
@click.option("-o", "--output", help=printer.FORMATS)
@click.option("-l", "--selector", default="", help="Only these; with --prune, its scope.")
@click.option("--prune", is_flag=True, help="Delete what was applied before and is missing now.")
@click.option("--all", "everything", is_flag=True, help="With --prune and no -l: every label.")
@click.option("--dry-run", type=click.Choice(["none", "client", "server"]), default="none")
def command(target: Target, **given: Any) -> None:
    """Make objects as the files say: create what is missing, change what differs."""
    if given["prune"] and not given["selector"] and not given["everything"]:
        raise ApiError(Reason.BAD_REQUEST, "--prune needs -l SELECTOR or --all as its scope")
    chosen = printer.parse(given["output"])
    found = manifests.load(given["filenames"], recursive=given["recursive"])
    found = selected(
        manifests.placed(found, target.namespace_flag, target.namespace), given["selector"]
    )

    async def work(client: Client) -> None:
        done = []
        for manifest in found:
            verb, message = await apply_one(client, manifest, given["dry_run"])
            done.append((manifest.kind, message))
            if chosen.table:
                say(manifest, verb, given["dry_run"])
        if not chosen.table:
            printer.show(done, chosen, single=len(done) == 1)
        if given["prune"]:
            await prune(client, done, given["selector"], given["dry_run"])

    session.run(target, work, MANAGER)


def selected(found: list[Manifest], selector: str) -> list[Manifest]:
    """Those whose labels match."""
    if not selector:
        return found
    from holdfast.api import selectors

    wanted = selectors.parse_labels(selector)
    return [manifest for manifest in found if wanted.matches(manifest.message.metadata.labels)]


def say(manifest: Manifest, verb: str, dry_run: str) -> None:
    """ "deployment.apps/web created (server dry run)"."""
    note = (
        ""
        if dry_run == "none"
        else " (dry run)"
        if dry_run == "client"
        else f" ({dry_run} dry run)"
    )
    click.echo(f"{printer.full_name(manifest.kind, manifest.name)} {verb}{note}")


async def apply_one(client: Client, manifest: Manifest, dry_run: str) -> tuple[str, Any]:
    """Create or patch one object. Returns "created", "configured" or "unchanged", and it."""
    if not manifest.name:
        kind = manifest.kind.kind
        message = f"{manifest.source}: {kind} has no metadata.name, which apply needs"
        raise ApiError(Reason.BAD_REQUEST, message)
    for attempt in range(ATTEMPTS_MAX):
        try:
            return await _apply_once(client, manifest, dry_run)
        except ApiError as error:
            raced = error.reason in (Reason.ALREADY_EXISTS, Reason.CONFLICT)
            if not raced or attempt == ATTEMPTS_MAX - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _apply_once(client: Client, manifest: Manifest, dry_run: str) -> tuple[str, Any]:
    namespace = str(manifest.message.metadata.namespace)
    try:
        current = await client.get(manifest.resource, manifest.name, namespace)
    except ApiError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        message = annotated(manifest)
        if dry_run == "client":
            return "created", message
        server = dry_run == "server"
        return "created", await client.create(manifest.resource, message, namespace, dry_run=server)
    body = patch_of(manifest, current)
    if not body:
        return "unchanged", current
    if dry_run == "client":
        return "configured", annotated(manifest)
    message = await client.patch(
        manifest.resource,
        manifest.name,
        namespace,
        "strategic",
        json.dumps(body).encode(),
        dry_run=dry_run == "server",
    )
    same = message.metadata.resourceVersion == current.metadata.resourceVersion
    return "unchanged" if same else "configured", message


def last_applied(tree: dict[str, Any]) -> str:
    """What the annotation keeps: the object as written, without the annotation itself."""
    kept = json.loads(json.dumps(tree))
    kept.setdefault("metadata", {}).get("annotations", {}).pop(LAST_APPLIED, None)
    return json.dumps(kept, separators=(",", ":"), sort_keys=True) + "\n"


def annotated(manifest: Manifest) -> Any:
    """The object to create: as written, with the annotation."""
    message = type(manifest.message)()
    message.CopyFrom(manifest.message)
    message.metadata.annotations[LAST_APPLIED] = last_applied(manifest.tree)
    return message


def patch_of(manifest: Manifest, current: Any) -> dict[str, Any]:
    """The strategic merge patch from what is there to what the file says; {} when equal."""
    there = codec.to_json(current, manifest.kind)
    before = (there.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    original = json.loads(before) if before else {}
    modified = json.loads(json.dumps(manifest.tree))
    annotations = modified.setdefault("metadata", {}).setdefault("annotations", {})
    if annotations is None:
        annotations = modified["metadata"]["annotations"] = {}
    annotations[LAST_APPLIED] = last_applied(manifest.tree)
    return patches.three_way(original, modified, there, manifest.kind.message)


async def prune(client: Client, kept: list[tuple[Any, Any]], selector: str, dry_run: str) -> None:
    """Delete what carries the annotation, matches the selector and was not applied just now.

    Only in the namespaces that were applied to, and kinds whose objects people apply.
    """
    names = {(k.resource, m.metadata.namespace, m.metadata.name) for k, m in kept}
    namespaces = sorted({m.metadata.namespace for _k, m in kept if m.metadata.namespace})
    for kind in kinds.all_kinds():
        if not kind.built or not kind.namespaced or "delete" not in kind.verbs:
            continue
        for namespace in namespaces:
            listed = await client.list(kind.resource, namespace, labels=selector)
            for message in listed.objects:
                key = (kind.resource, namespace, message.metadata.name)
                if LAST_APPLIED not in message.metadata.annotations or key in names:
                    continue
                if dry_run != "client":
                    await client.delete(
                        kind.resource, key[2], namespace, dry_run=dry_run == "server"
                    )
                click.echo(f"{printer.full_name(kind, key[2])} pruned")
