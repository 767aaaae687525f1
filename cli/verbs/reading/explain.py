"""`holdfast explain`: the fields of a kind, from the schema itself."""

from __future__ import annotations

import click

from holdfast.cli import completing


@click.command("explain")
@click.argument("path", shell_complete=completing.kind_names)
@click.option("--recursive", is_flag=True, help="All fields below, names and types only.")
def command(path: str, recursive: bool) -> None:
    """Show the fields of TYPE or TYPE.FIELD: `explain pods.spec.containers`."""
    from holdfast.cli import explaining

    click.echo("\n".join(explaining.page(path, recursive=recursive)))
