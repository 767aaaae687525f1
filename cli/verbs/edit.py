"""`holdfast edit`, `replace` and `diff`: whole objects as text."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.api import codec, patches
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import manifests, naming, session
from holdfast.cli.output import printer
from holdfast.cli.session import Target
from holdfast.cli.verbs.apply import DRY_RUN_NOTES, patch_of
from holdfast.cli.verbs.create import output_flags

if TYPE_CHECKING:
    from holdfast.api.client import Client

EDITS_MAX = 10
HEADER = """# Change what you like and save. Lines that begin with '#' are ignored, and an unchanged
# or empty file cancels the edit. If it is refused, the editor opens again with the reason.
#
"""


@click.command("edit")
@click.argument("words", nargs=-1)
@session.flags
def edit(target: Target, words: tuple[str, ...]) -> None:
    """Change an object in $EDITOR: TYPE/NAME."""
    kind, name = naming.one(words)

    async def work(client: Client) -> None:
        namespace = target.namespace if kind.namespaced else ""
        current = await client.get(kind.resource, name, namespace)
        text = codec.dump_yaml(printer.tree(kind, current))
        reason = ""
        for _ in range(EDITS_MAX):
            edited = _edit(text, reason)
            if edited is None or edited == text:
                click.echo("Edit cancelled, no changes made." if not reason else "Edit cancelled.")
                return
            try:
                await _send(client, kind, current, edited)
            except ApiError as error:
                text, reason = edited, error.message
                continue
            click.echo(f"{printer.full_name(kind, name)} edited")
            return
        raise ApiError(Reason.BAD_REQUEST, f"given up after {EDITS_MAX} edits: {reason}")

    session.run(target, work, "kubectl-edit")


async def _send(client: Client, kind: Kind, current: Any, text: str) -> None:
    """Send the difference, so that what others changed meanwhile stays."""
    documents = [document for document in codec.load_yaml(text) if document.tree]
    if len(documents) != 1:
        raise ApiError(Reason.BAD_REQUEST, "the file must hold one object")
    tree = documents[0].tree
    codec.decode_object(tree)  # refuses unknown kinds and fields before anything is sent
    if tree.get("metadata", {}).get("name") != current.metadata.name:
        raise ApiError(Reason.INVALID, "metadata.name cannot be changed by edit")
    before = printer.tree(kind, current)
    body = patches.three_way(before, tree, before, kind.message)
    where = (kind.resource, current.metadata.name, current.metadata.namespace)
    await client.patch(*where, "strategic", json.dumps(body).encode())


def _edit(text: str, reason: str) -> str | None:
    """The text after the editor; None when it was emptied. Raises ApiError when it failed."""
    editor = os.environ.get("KUBE_EDITOR") or os.environ.get("EDITOR") or "vi"
    note = "".join(f"# {line}\n" for line in reason.splitlines())
    with tempfile.NamedTemporaryFile("w+", suffix=".yaml", prefix="holdfast-edit-") as file:
        file.write(HEADER + note + text)
        file.flush()
        try:
            done = subprocess.run([*shlex.split(editor), file.name], check=False)
        except OSError as error:
            message = f'cannot start the editor "{editor}": {error.strerror}; set $EDITOR'
            raise ApiError(Reason.BAD_REQUEST, message) from None
        if done.returncode:
            raise ApiError(Reason.BAD_REQUEST, f'the editor "{editor}" failed: nothing was changed')
        lines = Path(file.name).read_text().splitlines(keepends=True)
    edited = "".join(line for line in lines if not line.startswith("#"))
    return edited if edited.strip() else None


@click.command("replace")
@manifests.flags
@session.flags
@click.option("--force", is_flag=True, help="Delete and create again.")
@output_flags
def replace(target: Target, **given: Any) -> None:
    """Write whole objects over those that are there: -f FILE."""
    chosen = printer.parse(given["output"])
    found = manifests.load(given["filenames"], recursive=given["recursive"])
    found = manifests.placed(found, target.namespace_flag, target.namespace)

    async def work(client: Client) -> None:
        done = []
        for manifest in found:
            message = await _replace(client, manifest, given)
            done.append((manifest.kind, message))
            if chosen.table:
                note = DRY_RUN_NOTES[given["dry_run"]]
                click.echo(f"{printer.full_name(manifest.kind, manifest.name)} replaced{note}")
        if not chosen.table:
            printer.show(done, chosen, single=len(done) == 1)

    session.run(target, work, "kubectl-replace")


async def _replace(client: Client, manifest: manifests.Manifest, given: dict[str, Any]) -> Any:
    from holdfast.cli.waiting import until_gone

    namespace = manifest.message.metadata.namespace
    where = (manifest.resource, manifest.name, namespace)
    if given["dry_run"] == "client":
        await client.get(*where)
        return manifest.message
    dry_run = given["dry_run"] == "server"
    if not given["force"] or dry_run:
        return await client.update(manifest.resource, manifest.message, dry_run=dry_run)
    old = await client.get(*where)
    await client.delete(*where, grace_period_s=0)
    await until_gone(client, *where, old.metadata.uid)
    return await client.create(manifest.resource, manifest.message, namespace)


@click.command("diff")
@manifests.flags
@session.flags
def diff(target: Target, **given: Any) -> None:
    """Show what `apply -f FILE` would change. Exit code 1 when there is a difference."""
    found = manifests.load(given["filenames"], recursive=given["recursive"])
    found = manifests.placed(found, target.namespace_flag, target.namespace)
    differences: list[str] = []

    async def work(client: Client) -> None:
        for manifest in found:
            differences.extend(await _difference(client, manifest))

    session.run(target, work, "kubectl-diff")
    for line in differences:
        click.echo(line)
    sys.exit(1 if differences else 0)


async def _difference(client: Client, manifest: manifests.Manifest) -> list[str]:
    """The unified difference between what is there and what would be."""
    import difflib

    where = (manifest.resource, manifest.name, manifest.message.metadata.namespace)
    try:
        current = await client.get(*where)
    except ApiError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        before = ""
        after = await client.create(manifest.resource, manifest.message, where[2], dry_run=True)
    else:
        before = _shown(manifest.kind, current)
        body = json.dumps(patch_of(manifest, current)).encode()
        after = await client.patch(*where, "strategic", body, dry_run=True)
    name = printer.full_name(manifest.kind, manifest.name)
    lines = _shown(manifest.kind, after).splitlines()
    return list(
        difflib.unified_diff(before.splitlines(), lines, f"live {name}", f"new {name}", lineterm="")
    )


def _shown(kind: Kind, message: Any) -> str:
    """Without what every write changes."""
    from holdfast.cli.verbs.apply import LAST_APPLIED

    tree = printer.tree(kind, message)
    metadata = tree.get("metadata", {})
    for field in ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"):
        metadata.pop(field, None)
    annotations = metadata.get("annotations") or {}
    annotations.pop(LAST_APPLIED, None)
    if not annotations:
        metadata.pop("annotations", None)
    return codec.dump_yaml(tree)
