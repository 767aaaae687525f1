"""`holdfast edit`: one object as text in an editor; what was changed is sent as a patch."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import completing, session
from holdfast.cli.input import merging, naming
from holdfast.cli.output import outcomes, printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

EDITS_MAX = 10
HEADER = """# Change what you like and save. Lines that begin with '#' are ignored, and an unchanged
# or empty file cancels the edit. If it is refused, the editor opens again with the reason.
#
"""


@click.command("edit")
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@session.flags
def command(target: Target, words: tuple[str, ...]) -> None:
    """Change an object in $KUBE_EDITOR or $EDITOR: TYPE/NAME."""
    kind, name = naming.one(words)

    async def work(client: Client) -> None:
        from holdfast.api import codec

        namespace = target.namespace if kind.namespaced else ""
        current = await client.get(kind.resource, name, namespace)
        text = codec.dump_yaml(printer.tree(kind, current))
        reason = ""
        for _ in range(EDITS_MAX):
            edited = _edit(text, reason)
            if edited is None or edited == text:
                if reason:
                    raise ApiError(Reason.INVALID, f"edit cancelled, nothing was changed: {reason}")
                click.echo("Edit cancelled, no changes made.")
                return
            try:
                await _send(client, kind, current, edited)
            except ApiError as error:
                text, reason = edited, error.message
                continue
            click.echo(outcomes.line(kind, name, "edited"))
            return
        raise ApiError(Reason.INVALID, f"given up after {EDITS_MAX} edits: {reason}")

    session.run(target, work, "kubectl-edit")


async def _send(client: Client, kind: Kind, current: Any, text: str) -> None:
    """Send the difference, so that what others changed meanwhile stays."""
    from holdfast.api import codec, patches

    documents = [document for document in codec.load_yaml(text) if document.tree]
    if len(documents) != 1:
        raise ApiError(Reason.BAD_REQUEST, "the file must hold one object")
    tree = documents[0].tree
    found, message = codec.decode_object(tree)  # refuses unknown kinds and fields first
    if found is not kind or message.metadata.name != current.metadata.name:  # type: ignore[attr-defined]
        raise ApiError(Reason.INVALID, "kind and metadata.name cannot be changed by edit")
    before = printer.tree(kind, current)
    for version in (before, tree):  # not a precondition: the patch is against what is there
        version["metadata"].pop("resourceVersion", None)
    body = patches.three_way(before, tree, before, kind.message)
    where = (kind.resource, current.metadata.name, current.metadata.namespace)
    await client.patch(*where, "strategic", merging.to_bytes(body))


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
        lines = Path(file.name).read_text(errors="replace").splitlines(keepends=True)
    edited = "".join(line for line in lines if not line.startswith("#"))
    return edited if edited.strip() else None
