"""`holdfast api-resources`: what kinds there are, from the table of kinds."""

from __future__ import annotations

import click

from holdfast.api import kinds
from holdfast.cli.output.table import lines


@click.command("api-resources")
@click.option(
    "--namespaced",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=None,
    help="Only those in namespaces.",
)
@click.option("--api-group", help="Only this group; an empty word means core.")
@click.option("--all", "everything", is_flag=True, help="Also kinds that are known, not built.")
@click.option("--no-headers", is_flag=True, help="Rows only.")
@click.option("-o", "--output", type=click.Choice(["wide", "name"]), help="wide: verbs, too.")
def command(
    namespaced: bool | None,
    api_group: str | None,
    everything: bool,
    no_headers: bool,
    output: str | None,
) -> None:
    """List the kinds of objects."""
    found = [
        kind
        for kind in kinds.all_kinds()
        if (everything or kind.built)
        and (namespaced is None or kind.namespaced == namespaced)
        and (api_group is None or kind.group == api_group)
    ]
    if output == "name":
        click.echo("\n".join(kind.resource for kind in found))
        return
    header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    rows = [
        [k.plural, ",".join(k.short_names), k.api_version, str(k.namespaced).lower(), k.kind]
        for k in found
    ]
    if output == "wide":
        header.append("VERBS")
        for row, kind in zip(rows, found, strict=True):
            row.append(",".join(kind.verbs))
    click.echo("\n".join(lines([] if no_headers else header, rows)))
