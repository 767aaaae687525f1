"""`holdfast delete`: by name, by selector, all of a type, or what files say; waits for the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import manifests, naming, session
from holdfast.cli.output import printer
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

IN_FLIGHT_MAX = 16
CASCADES = ["background", "foreground", "orphan"]


class Victim(NamedTuple):
    """One object to delete."""

    kind: Kind
    namespace: str
    name: str


@click.command("delete")
@click.argument("words", nargs=-1)
@manifests.flags
@session.flags
@click.option("-l", "--selector", default="")
@click.option("--field-selector", default="")
@click.option("--all", "everything", is_flag=True, help="Every object of the type.")
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option(
    "--cascade", type=click.Choice(["background", "foreground", "orphan"]), default="background"
)
@click.option("--grace-period", type=int, help="Seconds that containers get to end.")
@click.option("--now", is_flag=True, help="The same as --grace-period=1.")
@click.option("--force", is_flag=True, help="With --grace-period=0: do not wait for the node.")
@click.option("--ignore-not-found", is_flag=True)
@click.option("--wait/--no-wait", default=True, help="Return when the objects are gone.")
@click.option("--timeout", default="0s", help="Of --wait; 0s: as long as it takes.")
@click.option("-o", "--output", type=click.Choice(["name"]))
@click.option("--dry-run", type=click.Choice(["none", "client", "server"]), default="none")
def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Delete objects: TYPE NAME…, TYPE/NAME…, TYPE -l SELECTOR, TYPE --all, or -f FILE."""
    from holdfast.cli.waiting import seconds

    timeout_s = seconds(given["timeout"], "--timeout")
    if given["force"] and given["grace_period"] is None:
        given["grace_period"] = 0
    if given["now"]:
        given["grace_period"] = 1
    if given["grace_period"] == 0 and not given["force"]:
        raise ApiError(
            Reason.BAD_REQUEST,
            "--grace-period=0 removes a pod without waiting for its node: add --force to confirm",
        )

    async def work(client: Client) -> None:
        victims = await _victims(client, target, words, given)
        gate = asyncio.Semaphore(IN_FLIGHT_MAX)

        async def one(victim: Victim) -> Any:
            async with gate:
                return await _delete(client, victim, given)

        removed = await asyncio.gather(*(one(victim) for victim in victims))
        if not victims:
            click.echo("No resources found", err=True)
        if given["wait"] and given["dry_run"] == "none" and given["grace_period"] != 0:
            going = [
                (victim, str(message.metadata.uid))
                for victim, message in zip(victims, removed, strict=True)
                if message is not None
            ]
            await _await_gone(client, going, timeout_s)

    session.run(target, work, "kubectl-delete")


async def _victims(
    client: Client, target: Target, words: tuple[str, ...], given: dict[str, Any]
) -> list[Victim]:
    if given["filenames"]:
        found = manifests.load(given["filenames"], recursive=given["recursive"])
        return [Victim(m.kind, m.namespace(target.namespace), m.name) for m in found]
    wanted = naming.targets(words)
    selects = bool(given["selector"] or given["field_selector"] or given["everything"])
    victims: list[Victim] = []
    for named in wanted:
        if bool(named.names) == selects:
            message = f"say which {named.kind.plural}: names, -l SELECTOR or --all (one of them)"
            raise ApiError(Reason.BAD_REQUEST, message)
        namespace = target.namespace if named.kind.namespaced else ""
        if named.names:
            victims += [Victim(named.kind, namespace, name) for name in named.names]
            continue
        listed = await client.list(
            named.kind.resource,
            "" if given["all_namespaces"] else namespace,
            labels=given["selector"],
            fields=given["field_selector"],
        )
        victims += [
            Victim(named.kind, message.metadata.namespace, message.metadata.name)
            for message in listed.objects
        ]
    return victims


async def _delete(client: Client, victim: Victim, given: dict[str, Any]) -> Any:
    """Delete one object and say so; None when it was not there and that is fine."""
    dry_run = given["dry_run"]
    try:
        if dry_run == "client":
            message = await client.get(victim.kind.resource, victim.name, victim.namespace)
        else:
            message = await client.delete(
                victim.kind.resource,
                victim.name,
                victim.namespace,
                grace_period_s=given["grace_period"],
                propagation=given["cascade"].capitalize(),
                dry_run=dry_run == "server",
            )
    except ApiError as error:
        if given["ignore_not_found"] and error.reason is Reason.NOT_FOUND:
            return None
        raise
    name = printer.full_name(victim.kind, victim.name)
    how = "force deleted" if given["grace_period"] == 0 else "deleted"
    note = "" if dry_run == "none" else " (dry run)"
    click.echo(name if given["output"] else f"{name} {how}{note}")
    return message


async def _await_gone(
    client: Client, going: Sequence[tuple[Victim, str]], timeout_s: float | None
) -> None:
    """Wait until each object, as that incarnation, is gone."""
    from holdfast.cli.waiting import until_gone

    try:
        async with asyncio.timeout(timeout_s or None):
            for victim, uid in going:
                await until_gone(client, victim.kind.resource, victim.name, victim.namespace, uid)
    except TimeoutError:
        message = f"timed out after {timeout_s:g} s: {victim.name} is still there"
        raise ApiError(Reason.TIMEOUT, message) from None
