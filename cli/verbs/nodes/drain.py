"""`holdfast drain`: cordon a node and delete its pods, so that they run elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, session
from holdfast.cli.progress import Progress
from holdfast.cli.session import Target
from holdfast.cli.verbs.nodes import cordon, naming
from holdfast.cli.waiting import length, until_gone

if TYPE_CHECKING:
    from holdfast.api.client import Client

DELETES_IN_FLIGHT_MAX = 16


@click.command("drain")
@click.argument("names", nargs=-1, shell_complete=completing.names_of("nodes"))
@session.flags
@click.option("-l", "--selector", default="", help="Nodes with these labels.")
@click.option("--pod-selector", default="", help="Only pods with these labels.")
@click.option("--force", is_flag=True, help="Also pods that nobody will replace.")
@click.option("--delete-emptydir-data", is_flag=True, help="Also pods with emptyDir volumes.")
@click.option("--ignore-daemonsets", is_flag=True, help="Leave pods of DaemonSets.")
@click.option("--grace-period", type=int, default=-1, help="Seconds; -1: each pod's own.")
@click.option("--timeout", type=length, default="0s", help="0s: as long as it takes.")
def command(target: Target, names: tuple[str, ...], **given: Any) -> None:
    """Cordon NODE… and delete its pods; wait until they are gone."""

    async def work(client: Client) -> None:
        for node in await naming.chosen(client, names, given["selector"]):
            name = node.metadata.name
            await cordon.set_unschedulable(client, node, True)
            victims = await _victims(client, name, given)
            try:
                async with asyncio.timeout(given["timeout"] or None):
                    await _evict(client, name, victims, given["grace_period"])
            except TimeoutError:
                message = f"node/{name} was not drained within {given['timeout']:g} s"
                raise ApiError(Reason.TIMEOUT, message) from None
            click.echo(f"node/{name} drained")

    session.run(target, work, "kubectl-drain")


async def _victims(client: Client, node: str, given: dict[str, Any]) -> list[Any]:
    """The pods to delete. Raises ApiError naming every pod that needs a flag first."""
    from holdfast.api import selectors

    wanted = selectors.parse_labels(given["pod_selector"])
    listed = await client.list("pods", fields=f"spec.nodeName={node}")
    found, blocked = [], []
    for pod in listed.objects:
        if not wanted.matches(pod.metadata.labels):
            continue
        why = obstacle(pod, given)
        if why == SKIP:
            continue
        if why:
            blocked.append(f"{pod.metadata.namespace}/{pod.metadata.name} ({why})")
        else:
            found.append(pod)
    if blocked:
        raise ApiError(Reason.CONFLICT, f"cannot drain node/{node}: {', '.join(blocked)}")
    return found


SKIP = "skip"


def obstacle(pod: Any, given: dict[str, Any]) -> str:
    """Why a pod is not simply deleted: SKIP, words that name the flag, or ""."""
    from holdfast.api.objects import owners

    owner = owners.controller_of(pod.metadata)
    finished = pod.status.phase in ("Succeeded", "Failed")
    if owner is not None and owner.kind == "DaemonSet":
        return SKIP if given["ignore_daemonsets"] else "of a DaemonSet: --ignore-daemonsets"
    if owner is None and not finished and not given["force"]:
        return "has no controller that would replace it: --force"
    local = any(volume.volumeSource.HasField("emptyDir") for volume in pod.spec.volumes)
    if local and not finished and not given["delete_emptydir_data"]:
        return "has an emptyDir volume: --delete-emptydir-data"
    return ""


async def _evict(client: Client, node: str, pods: list[Any], grace_period_s: int) -> None:
    gate = asyncio.Semaphore(DELETES_IN_FLIGHT_MAX)
    left = len(pods)

    async def one(pod: Any) -> None:
        nonlocal left
        where = (pod.metadata.name, pod.metadata.namespace)
        async with gate:
            progress.echo(f"evicting pod {where[1]}/{where[0]}")
            grace = None if grace_period_s < 0 else grace_period_s
            await client.delete("pods", *where, uid=pod.metadata.uid, grace_period_s=grace)
            await until_gone(client, "pods", *where, pod.metadata.uid)
        left -= 1
        progress.text(f"node/{node}: {left} pods still to go")

    async with Progress(f"node/{node}: {left} pods to go") as progress:
        await asyncio.gather(*map(one, pods))
