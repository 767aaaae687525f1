"""`holdfast replace`: whole objects over those that are there; --force makes them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import session
from holdfast.cli.failures import Failures
from holdfast.cli.input import manifests
from holdfast.cli.input.manifests import Manifest
from holdfast.cli.output import outcomes
from holdfast.cli.progress import Progress
from holdfast.cli.session import Target
from holdfast.cli.waiting import until_gone

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.command("replace")
@manifests.flags
@session.flags
@click.option("--force", is_flag=True, help="Delete and create again.")
@outcomes.flags
def command(target: Target, **given: Any) -> None:
    """Write whole objects over those that are there: -f FILE.

    A metadata.resourceVersion in the file must be the one that is there.
    """
    found = manifests.read(target, given)
    for manifest in found:
        manifest.need_name("replace")
    failures = Failures()

    async def work(client: Client) -> None:
        done = []
        async with Progress("replacing") as progress:
            for number, manifest in enumerate(found, 1):
                progress.text(f"replacing {number} of {len(found)}: {manifest.name}")
                with failures.noted(manifest.source):
                    message = await _replace(client, manifest, given)
                    done.append((manifest.kind, message))
                    if given["output"].table:
                        line = outcomes.line(
                            manifest.kind, manifest.name, "replaced", given["dry_run"]
                        )
                        progress.echo(line)
        outcomes.show(done, given["output"])

    session.run(target, work, "kubectl-replace")
    failures.end()


async def _replace(client: Client, manifest: Manifest, given: dict[str, Any]) -> Any:
    where = (manifest.resource, manifest.name, manifest.namespace)
    if given["dry_run"] == "client":
        await client.get(*where)
        return manifest.message
    dry_run = given["dry_run"] == "server"
    if not given["force"] or dry_run:
        return await client.update(manifest.resource, manifest.message, dry_run=dry_run)
    try:
        old = await client.delete(*where, grace_period_s=0)
        await until_gone(client, *where, old.metadata.uid)
    except ApiError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
    return await client.create(manifest.resource, manifest.message, manifest.namespace)
