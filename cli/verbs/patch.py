"""`holdfast patch`: change fields of one object; JSON or YAML on the command line or in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.api import codec
from holdfast.api.errors import ApiError, Reason
from holdfast.cli import naming, session
from holdfast.cli.output import printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

TYPES = ["strategic", "merge", "json"]


@click.command("patch")
@click.argument("words", nargs=-1)
@session.flags
@click.option("-p", "--patch", "text", default="", help="The patch, as JSON or YAML.")
@click.option("--patch-file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--type", "type_", type=click.Choice(["strategic", "merge", "json"]), default="strategic"
)
@click.option("--subresource", default="", help="status or scale.")
@click.option("-o", "--output", help=printer.FORMATS)
@click.option("--dry-run", type=click.Choice(["none", "server"]), default="none")
def command(
    target: Target,
    words: tuple[str, ...],
    text: str,
    patch_file: Path | None,
    type_: str,
    subresource: str,
    output: str | None,
    dry_run: str,
) -> None:
    """Change fields of TYPE/NAME."""
    kind, name = naming.one(words)
    if bool(text) == bool(patch_file):
        raise ApiError(Reason.BAD_REQUEST, "give the patch with -p or with --patch-file")
    documents = codec.load_yaml(patch_file.read_bytes() if patch_file else text)
    if len(documents) != 1:
        raise ApiError(Reason.BAD_REQUEST, "the patch must be one JSON or YAML document")
    chosen = printer.parse(output)

    async def work(client: Client) -> None:
        namespace = target.namespace if kind.namespaced else ""
        body = json.dumps(documents[0].tree).encode()
        message = await client.patch(
            kind.resource,
            name,
            namespace,
            type_,
            body,
            subresource=subresource,
            dry_run=dry_run == "server",
        )
        if chosen.table:
            click.echo(f"{printer.full_name(kind, name)} patched")
        else:
            printer.show([(kind, message)], chosen, single=True)

    session.run(target, work, "kubectl-patch")
