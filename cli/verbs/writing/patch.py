"""`holdfast patch`: change fields of one object; JSON or YAML on the command line or in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, session
from holdfast.cli.input import naming
from holdfast.cli.output import outcomes, printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

TYPES = ["strategic", "merge", "json"]


@click.command("patch")
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@session.flags
@click.option("-p", "--patch", "text", default="", help="The patch, as JSON or YAML.")
@click.option("--patch-file", help="The patch in a file, - for standard input.")
@click.option("--type", "type_", type=click.Choice(TYPES), default="strategic", help="How.")
@click.option("--subresource", type=click.Choice(["status", "scale"]), help="Of this part only.")
@printer.flag
@click.option("--dry-run", type=click.Choice(["none", "server"]), default="none", help="Only try.")
def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Change fields of TYPE/NAME: -p '{"spec":{"replicas":2}}'."""
    kind, name = naming.one(words)
    if bool(given["text"]) == bool(given["patch_file"]):
        raise click.UsageError("give the patch with -p or with --patch-file (one of them)")
    body = _body(given["text"], given["patch_file"])
    subresource = given["subresource"] or ""
    if subresource == "scale" and not given["output"].table:
        raise click.UsageError("-o does not go with --subresource=scale")

    async def work(client: Client) -> None:
        namespace = target.namespace if kind.namespaced else ""
        message = await client.patch(
            kind.resource,
            name,
            namespace,
            given["type_"],
            body,
            subresource=subresource,
            dry_run=given["dry_run"] == "server",
        )
        if given["output"].table:
            click.echo(outcomes.line(kind, name, "patched", given["dry_run"]))
        else:
            outcomes.show([(kind, message)], given["output"])

    session.run(target, work, "kubectl-patch")


def _body(text: str, file: str | None) -> bytes:
    """The patch as JSON. Raises ApiError naming the file and line when it cannot be read."""
    from holdfast.api import codec

    source = file or "--patch"
    try:
        data = _read(file) if file else text.encode()
        documents = codec.load_yaml(data)
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"cannot read {file}: {error.strerror}") from None
    except ApiError as error:
        raise ApiError(error.reason, f"{source}: {error.message}") from None
    if len(documents) != 1 or not isinstance(documents[0].tree, dict | list):
        raise ApiError(Reason.BAD_REQUEST, f"{source}: one JSON or YAML object is expected")
    return json.dumps(documents[0].tree).encode()


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    return Path(file).read_bytes()
