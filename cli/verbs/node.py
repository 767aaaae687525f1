"""`holdfast cordon`, `uncordon`, `drain`, `taint`: what may run on a node."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from holdfast.api import selectors
from holdfast.api.errors import ApiError, Reason
from holdfast.api.objects import owners
from holdfast.cli import session
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
DELETES_IN_FLIGHT_MAX = 16


async def _nodes(client: Client, names: tuple[str, ...], selector: str) -> list[Any]:
    if bool(names) == bool(selector):
        raise ApiError(Reason.BAD_REQUEST, "name nodes or give -l SELECTOR (one of them)")
    if selector:
        return (await client.list("nodes", labels=selector)).objects
    return [await client.get("nodes", name.removeprefix("node/")) for name in names]


async def _set_unschedulable(client: Client, node: Any, wanted: bool) -> None:
    name, word = node.metadata.name, "cordoned" if wanted else "uncordoned"
    if node.spec.unschedulable == wanted:
        click.echo(f"node/{name} already {word}")
        return
    body = json.dumps({"spec": {"unschedulable": wanted or None}}).encode()
    await client.patch("nodes", name, "", "merge", body)
    click.echo(f"node/{name} {word}")


def _cordon(verb: str, wanted: bool, text: str) -> click.Command:
    @click.command(verb, help=text)
    @click.argument("names", nargs=-1)
    @session.flags
    @click.option("-l", "--selector", default="")
    def command(target: Target, names: tuple[str, ...], selector: str) -> None:
        async def work(client: Client) -> None:
            for node in await _nodes(client, names, selector):
                await _set_unschedulable(client, node, wanted)

        session.run(target, work, f"kubectl-{verb}")

    return command


cordon = _cordon("cordon", True, "Let no new pods be placed on NODE…")
uncordon = _cordon("uncordon", False, "Let pods be placed on NODE… again.")


@click.command("drain")
@click.argument("names", nargs=-1)
@session.flags
@click.option("-l", "--selector", default="", help="Nodes with these labels.")
@click.option("--pod-selector", default="", help="Only pods with these labels.")
@click.option("--force", is_flag=True, help="Also pods that nobody will replace.")
@click.option("--delete-emptydir-data", is_flag=True, help="Also pods with emptyDir volumes.")
@click.option("--ignore-daemonsets", is_flag=True, help="Leave pods of DaemonSets.")
@click.option("--grace-period", type=int, default=-1, help="-1: each pod's own.")
@click.option("--timeout", default="0s", help="0s: as long as it takes.")
def drain(target: Target, names: tuple[str, ...], **given: Any) -> None:
    """Cordon NODE… and delete its pods, so that they run elsewhere; waits until they are gone."""
    from holdfast.cli.waiting import seconds

    timeout_s = seconds(given["timeout"], "--timeout")

    async def work(client: Client) -> None:
        for node in await _nodes(client, names, given["selector"]):
            await _set_unschedulable(client, node, True)
            victims = await _victims(client, node.metadata.name, given)
            try:
                async with asyncio.timeout(timeout_s or None):
                    await _evict(client, victims, given["grace_period"])
            except TimeoutError:
                message = f"node/{node.metadata.name} was not drained within {given['timeout']}"
                raise ApiError(Reason.TIMEOUT, message) from None
            click.echo(f"node/{node.metadata.name} drained")

    session.run(target, work, "kubectl-drain")


async def _victims(client: Client, node: str, given: dict[str, Any]) -> list[Any]:
    """The pods to delete. Raises ApiError naming every pod that needs a flag first."""
    wanted = selectors.parse_labels(given["pod_selector"])
    listed = await client.list("pods", fields=f"spec.nodeName={node}")
    found, blocked = [], []
    for pod in listed.objects:
        if not wanted.matches(pod.metadata.labels):
            continue
        why = _obstacle(pod, given)
        if why == "skip":
            continue
        if why:
            blocked.append(f"{pod.metadata.namespace}/{pod.metadata.name} ({why})")
        else:
            found.append(pod)
    if blocked:
        raise ApiError(Reason.CONFLICT, f"cannot drain node/{node}: {', '.join(blocked)}")
    return found


def _obstacle(pod: Any, given: dict[str, Any]) -> str:
    """Why a pod is not simply deleted: "skip", a sentence that names the flag, or ""."""
    owner = owners.controller_of(pod.metadata)
    finished = pod.status.phase in ("Succeeded", "Failed")
    if owner is not None and owner.kind == "DaemonSet":
        return "skip" if given["ignore_daemonsets"] else "of a DaemonSet: --ignore-daemonsets"
    if owner is None and not finished and not given["force"]:
        return "has no controller that would replace it: --force"
    local = any(volume.volumeSource.HasField("emptyDir") for volume in pod.spec.volumes)
    if local and not finished and not given["delete_emptydir_data"]:
        return "has an emptyDir volume: --delete-emptydir-data"
    return ""


async def _evict(client: Client, pods: list[Any], grace_period_s: int) -> None:
    from holdfast.cli.waiting import until_gone

    gate = asyncio.Semaphore(DELETES_IN_FLIGHT_MAX)

    async def one(pod: Any) -> None:
        where = (pod.metadata.name, pod.metadata.namespace)
        async with gate:
            click.echo(f"evicting pod {where[1]}/{where[0]}")
            grace = None if grace_period_s < 0 else grace_period_s
            await client.delete("pods", *where, uid=pod.metadata.uid, grace_period_s=grace)
            await until_gone(client, "pods", *where, pod.metadata.uid)

    await asyncio.gather(*(one(pod) for pod in pods))


@click.command("taint")
@click.argument("words", nargs=-1, required=True)
@session.flags
@click.option("--overwrite", is_flag=True, help="A taint that has another value may change.")
def taint(target: Target, words: tuple[str, ...], overwrite: bool) -> None:
    """Set or remove taints: node NAME KEY=VALUE:EFFECT, or KEY[:EFFECT]- to remove."""
    names, changes = _taints(words)

    async def work(client: Client) -> None:
        for node in await _nodes(client, names, ""):
            taints = _changed(node, changes, overwrite)
            body = json.dumps({"spec": {"taints": taints}}).encode()
            await client.patch("nodes", node.metadata.name, "", "merge", body)
            word = "untainted" if all(change.endswith("-") for change in changes) else "tainted"
            click.echo(f"node/{node.metadata.name} {word}")

    session.run(target, work, "kubectl-taint")


def _taints(words: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    changes = [word for word in words if ":" in word or word.endswith("-")]
    names = [word for word in words if word not in changes and word not in ("node", "nodes")]
    if not changes:
        raise ApiError(Reason.BAD_REQUEST, "say which taint: KEY=VALUE:EFFECT, or KEY- to remove")
    return tuple(names), changes


def _changed(node: Any, changes: list[str], overwrite: bool) -> list[dict[str, str]]:
    """The node's taints after the changes, as JSON."""
    taints = {(t.key, t.effect): t.value for t in node.spec.taints}
    for change in changes:
        pair, _, effect = change.removesuffix("-").partition(":")
        key, _, value = pair.partition("=")
        if change.endswith("-"):
            gone = [k for k in taints if k[0] == key and effect in ("", k[1])]
            if not gone:
                message = f'taint "{change}" is not on node/{node.metadata.name}'
                raise ApiError(Reason.NOT_FOUND, message)
            for found in gone:
                del taints[found]
            continue
        if effect not in EFFECTS:
            message = f'taint "{change}": the effect must be one of {", ".join(EFFECTS)}'
            raise ApiError(Reason.BAD_REQUEST, message)
        if taints.get((key, effect), value) != value and not overwrite:
            message = f"node/{node.metadata.name} already has taint {key}:{effect}: add --overwrite"
            raise ApiError(Reason.CONFLICT, message)
        taints[key, effect] = value
    return [
        {"key": key, "effect": effect, **({"value": value} if value else {})}
        for (key, effect), value in taints.items()
    ]
