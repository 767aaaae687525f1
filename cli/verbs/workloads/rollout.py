"""`holdfast rollout status|history|undo|restart|pause|resume`: a Deployment's revisions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from holdfast.api import codec
from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, rollouts, session
from holdfast.cli.input import naming
from holdfast.cli.output import outcomes
from holdfast.cli.output.table import lines
from holdfast.cli.session import Target
from holdfast.cli.waiting import length, states

if TYPE_CHECKING:
    from holdfast.api.client import Client

RESOURCE = "deployments.apps"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
HASH_LABEL = "pod-template-hash"


@click.group("rollout")
def command() -> None:
    """Follow, undo, pause and restart the rollout of a Deployment."""


words_argument = click.argument("words", nargs=-1, shell_complete=completing.objects)


def _name(words: tuple[str, ...]) -> str:
    kind, name = naming.one(words)
    if kind.resource != RESOURCE:
        message = f"rollout works on deployments, not on {kind.plural}"
        raise ApiError(Reason.BAD_REQUEST, message)
    return name


@command.command("status")
@words_argument
@session.flags
@click.option(
    "-w",
    "--watch",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=True,
    help="Stay until it has ended.",
)
@click.option("--timeout", type=length, default="0s", help="0s: as long as it takes.")
def status(target: Target, words: tuple[str, ...], watch: bool, timeout: float) -> None:
    """Say how far the rollout is; by default stay until it has ended."""
    name = _name(words)

    async def follow(client: Client) -> None:
        said = ""
        await client.get(RESOURCE, name, target.namespace)  # says NotFound
        async for deployment in states(client, RESOURCE, name, target.namespace):
            if deployment is None:
                raise ApiError(Reason.NOT_FOUND, f'deployment "{name}" was deleted')
            standing = rollouts.standing(deployment)
            if standing.text != said:
                click.echo(standing.text)
                said = standing.text
            if standing.done or not watch:
                return

    async def bounded(client: Client) -> None:
        try:
            async with asyncio.timeout(timeout or None):
                await follow(client)
        except TimeoutError:
            message = f'deployment "{name}" did not roll out within {timeout:g} s'
            raise ApiError(Reason.TIMEOUT, message) from None

    session.run(target, bounded)


async def _revisions(
    client: Client, name: str, namespace: str
) -> tuple[Any, list[tuple[int, Any]]]:
    deployment = await client.get(RESOURCE, name, namespace)
    listed = await client.list("replicasets.apps", namespace)
    return deployment, rollouts.revisions(deployment, listed.objects)


@command.command("history")
@words_argument
@session.flags
@click.option(
    "--revision", type=click.IntRange(min=0), default=0, help="Show this revision's template."
)
def history(target: Target, words: tuple[str, ...], revision: int) -> None:
    """List the revisions that are kept, with their change cause."""
    name = _name(words)

    async def work(client: Client) -> None:
        deployment, found = await _revisions(client, name, target.namespace)
        click.echo(f"deployment.apps/{name}" + (f" with revision #{revision}" if revision else ""))
        if revision:
            replica_set = rollouts.undo_target(deployment, found, revision)
            tree = codec.to_json(replica_set.spec.template)
            click.echo(codec.dump_yaml(tree), nl=False)
            return
        rows = [
            [str(number), rs.metadata.annotations.get(rollouts.CHANGE_CAUSE, "<none>")]
            for number, rs in found
        ]
        for line in lines(["REVISION", "CHANGE-CAUSE"], rows):
            click.echo(line)

    session.run(target, work)


@command.command("undo")
@words_argument
@session.flags
@click.option("--to-revision", type=click.IntRange(min=0), default=0, help="0: the one before.")
@click.option("--dry-run", type=click.Choice(["none", "server"]), default="none", help="Only try.")
def undo(target: Target, words: tuple[str, ...], to_revision: int, dry_run: str) -> None:
    """Go back to an earlier revision's template."""
    name = _name(words)

    async def work(client: Client) -> None:
        deployment, found = await _revisions(client, name, target.namespace)
        if deployment.spec.paused:
            message = f'deployment "{name}" is paused: run `holdfast rollout resume` first'
            raise ApiError(Reason.CONFLICT, message)
        replica_set = rollouts.undo_target(deployment, found, to_revision)
        template = codec.to_json(replica_set.spec.template)
        template.get("metadata", {}).get("labels", {}).pop(HASH_LABEL, None)
        body = json.dumps([{"op": "replace", "path": "/spec/template", "value": template}])
        await client.patch(
            RESOURCE, name, target.namespace, "json", body.encode(), dry_run=dry_run == "server"
        )
        note = outcomes.DRY_RUNS[dry_run]
        click.echo(f"deployment.apps/{name} rolled back{note}")

    session.run(target, work, "kubectl-rollout")


def _change(verb: str, done: str, text: str, body: Callable[[], dict[str, Any]]) -> None:
    """A verb that is one merge patch."""

    @command.command(verb, help=text)
    @words_argument
    @session.flags
    def change(target: Target, words: tuple[str, ...]) -> None:
        name = _name(words)

        async def work(client: Client) -> None:
            patch = json.dumps(body()).encode()
            await client.patch(RESOURCE, name, target.namespace, "merge", patch)
            click.echo(f"deployment.apps/{name} {done}")

        session.run(target, work, "kubectl-rollout")


def _restarted() -> dict[str, Any]:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}


_change("restart", "restarted", "Replace every pod, a few at a time.", _restarted)
_change("pause", "paused", "Hold the rollout; changes collect.", lambda: {"spec": {"paused": True}})
_change("resume", "resumed", "Go on with a paused rollout.", lambda: {"spec": {"paused": False}})
