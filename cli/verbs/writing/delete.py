"""`holdfast delete`: by name, by selector, all of a type, or what files say; waits for the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import completing, session
from holdfast.cli.failures import Failures
from holdfast.cli.input import manifests, naming
from holdfast.cli.output import outcomes, printer
from holdfast.cli.progress import Progress
from holdfast.cli.session import Target
from holdfast.cli.waiting import length, until_gone

if TYPE_CHECKING:
    from holdfast.api.client import Client

IN_FLIGHT_MAX = 16
CASCADES = ["background", "foreground", "orphan"]


class Victim(NamedTuple):
    """One object to delete."""

    kind: Kind
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class How:
    """The flags of one `delete`. grace_s: None = each pod's own. timeout_s: 0 = for ever."""

    grace_s: int | None
    cascade: str
    dry_run: str
    ignore_not_found: bool
    names_only: bool
    wait: bool
    timeout_s: float


@click.command("delete")
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@manifests.flags
@session.flags
@click.option("-l", "--selector", default="", help="Those with these labels.")
@click.option("--field-selector", default="", help="For example status.phase=Failed.")
@click.option("--all", "everything", is_flag=True, help="Every object of the type.")
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@click.option("--cascade", type=click.Choice(CASCADES), default="background", help="What it owns.")
@click.option("--grace-period", type=int, help="Seconds that containers get to end.")
@click.option("--now", is_flag=True, help="The same as --grace-period=1.")
@click.option("--force", is_flag=True, help="With --grace-period=0: do not wait for the node.")
@click.option("--ignore-not-found", is_flag=True, help="A missing name is no error.")
@click.option(
    "--wait",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=True,
    help="Return when the objects are gone.",
)
@click.option("--timeout", type=length, default="0s", help="Of --wait; 0s: as long as it takes.")
@click.option("-o", "--output", type=click.Choice(["name"]), help="Names only.")
@outcomes.dry_run_flag
def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Delete objects: TYPE NAME…, TYPE/NAME…, TYPE -l SELECTOR, TYPE --all, or -f FILE."""
    how = How(
        _grace(given),
        given["cascade"],
        given["dry_run"],
        given["ignore_not_found"],
        bool(given["output"]),
        given["wait"],
        given["timeout"],
    )
    fixed = _fixed(target, words, given)
    failures = Failures()

    async def work(client: Client) -> None:
        victims = [*fixed, *await _selected(client, target, words, given)]
        if not victims:
            click.echo("No resources found", err=True)
        await _delete_all(client, victims, how, failures)

    session.run(target, work, "kubectl-delete")
    failures.end()


def _grace(given: dict[str, Any]) -> int | None:
    """The grace period in seconds. Raises click.UsageError for flags that contradict."""
    grace: int | None = given["grace_period"]
    if given["now"]:
        if grace is not None:
            raise click.UsageError("--now and --grace-period do not go together")
        grace = 1
    if grace is not None and grace < 0:
        grace = None
    if given["force"]:
        return grace or 0
    if grace == 0:
        raise click.UsageError(
            "--grace-period=0 removes a pod without waiting for its node: add --force to confirm"
        )
    return grace


def _fixed(target: Target, words: tuple[str, ...], given: dict[str, Any]) -> list[Victim]:
    """What files or names say; raises click.UsageError unless it is clear what is meant."""
    selects = bool(given["selector"] or given["field_selector"] or given["everything"])
    if given["filenames"]:
        if words or selects:
            raise click.UsageError("-f FILE says what to delete: give no names or selectors")
        found = manifests.read(target, given)
        for manifest in found:
            manifest.need_name("delete")
        return [Victim(m.kind, m.namespace, m.name) for m in found]
    victims: list[Victim] = []
    for named in naming.targets(words):
        if bool(named.names) == selects:
            raise click.UsageError(
                f"say which {named.kind.plural}: names, -l SELECTOR or --all (one of them)"
            )
        if given["all_namespaces"] and named.names:
            raise click.UsageError("names and --all-namespaces do not go together")
        namespace = target.namespace if named.kind.namespaced else ""
        victims += [Victim(named.kind, namespace, name) for name in named.names]
    return victims


async def _selected(
    client: Client, target: Target, words: tuple[str, ...], given: dict[str, Any]
) -> list[Victim]:
    """What selectors and --all match."""
    victims: list[Victim] = []
    for named in naming.targets(words) if words else ():
        if named.names:
            continue
        inside = named.kind.namespaced and not given["all_namespaces"]
        listed = await client.list(
            named.kind.resource,
            target.namespace if inside else "",
            labels=given["selector"],
            fields=given["field_selector"],
        )
        victims += [
            Victim(named.kind, message.metadata.namespace, message.metadata.name)
            for message in listed.objects
        ]
    return victims


async def _delete_all(
    client: Client, victims: Sequence[Victim], how: How, failures: Failures
) -> None:
    """Delete many at a time, say each, and wait until they are gone."""
    gate = asyncio.Semaphore(IN_FLIGHT_MAX)
    going: dict[Victim, str] = {}
    async with Progress(f"deleting {len(victims)} objects") as progress:

        async def one(victim: Victim) -> None:
            async with gate:
                with failures.noted():
                    message = await _delete(client, victim, how)
                    if message is not None:
                        progress.echo(_line(victim, how))
                        going[victim] = str(message.metadata.uid)

        await asyncio.gather(*map(one, victims))
        if how.wait and how.dry_run == "none" and how.grace_s != 0:
            await _await_gone(client, going, how.timeout_s, progress)


async def _delete(client: Client, victim: Victim, how: How) -> Any:
    """Delete one object; None when it was not there and that is fine."""
    where = (victim.kind.resource, victim.name, victim.namespace)
    try:
        if how.dry_run == "client":
            return await client.get(*where)
        return await client.delete(
            *where,
            grace_period_s=how.grace_s,
            propagation=how.cascade.capitalize(),
            dry_run=how.dry_run == "server",
        )
    except ApiError as error:
        if how.ignore_not_found and error.reason is Reason.NOT_FOUND:
            return None
        raise


def _line(victim: Victim, how: How) -> str:
    if how.names_only:
        return printer.full_name(victim.kind, victim.name)
    verb = "force deleted" if how.grace_s == 0 else "deleted"
    return outcomes.line(victim.kind, victim.name, verb, how.dry_run)


async def _await_gone(
    client: Client, going: dict[Victim, str], timeout_s: float, progress: Progress
) -> None:
    """Wait until each object, as that incarnation, is gone."""
    left = list(going)
    try:
        async with asyncio.timeout(timeout_s or None):
            for victim, uid in going.items():
                full = printer.full_name(victim.kind, victim.name)
                progress.text(f"waiting until {full} is gone ({len(left)} to go)")
                await until_gone(client, victim.kind.resource, victim.name, victim.namespace, uid)
                left.remove(victim)
    except TimeoutError:
        names = ", ".join(printer.full_name(victim.kind, victim.name) for victim in left)
        message = f"timed out after {timeout_s:g} s: still there: {names}"
        raise ApiError(Reason.TIMEOUT, message) from None
