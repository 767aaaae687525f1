"""`holdfast expose` and `holdfast run`: a Service for what runs, and one pod quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from holdfast.api import codec
from holdfast.api.errors import ApiError, Reason
from holdfast.cli import making, naming, session
from holdfast.cli.session import Target
from holdfast.cli.verbs.create import create_tree, output_flags, send

if TYPE_CHECKING:
    from holdfast.api.client import Client

TYPES = ["ClusterIP", "NodePort"]


@click.command("expose")
@click.argument("words", nargs=-1)
@session.flags
@click.option("--port", type=int, help="Of the Service; else every port of the containers.")
@click.option("--target-port", default="", help="Number or name; else the same.")
@click.option("--name", default="", help="Else that of the object.")
@click.option("--protocol", type=click.Choice(["TCP", "UDP"]), default="TCP")
@click.option("--type", "type_", type=click.Choice(TYPES), default="ClusterIP")
@click.option("--selector", default="", help="KEY=VALUE,…; else that of the object.")
@output_flags
def expose(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Give a Deployment, ReplicaSet, Pod or Service an address: TYPE/NAME --port=80."""
    kind, name = naming.one(words)

    async def work(client: Client) -> None:
        owner = await client.get(kind.resource, name, target.namespace)
        selector = making.pairs(
            [word for word in given["selector"].split(",") if word], "--selector"
        ) or _selector(kind.resource, owner)
        ports = _ports(owner, kind.resource, given)
        tree = making.service(given["name"] or name, selector, ports, given["type_"])
        await send(client, target.namespace, [codec.decode_object(tree)], given)

    session.run(target, work, "kubectl-expose")


def _selector(resource: str, owner: Any) -> dict[str, str]:
    if resource == "pods":
        found = dict(owner.metadata.labels)
    elif resource == "services":
        found = dict(owner.spec.selector)
    elif resource in ("deployments.apps", "replicasets.apps"):
        if owner.spec.selector.matchExpressions:
            message = "its selector has expressions, which a Service cannot have: give --selector"
            raise ApiError(Reason.BAD_REQUEST, message)
        found = dict(owner.spec.selector.matchLabels)
    else:
        raise ApiError(Reason.BAD_REQUEST, f"{resource} cannot be exposed")
    if not found:
        raise ApiError(Reason.BAD_REQUEST, "it has no labels to select by: give --selector")
    return found


def _ports(owner: Any, resource: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    to = given["target_port"]
    target = {"targetPort": int(to) if to.isdigit() else to} if to else {}
    if given["port"]:
        return [{"port": given["port"], "protocol": given["protocol"], **target}]
    if resource == "services":
        found = [(port.name, port.port, port.protocol) for port in owner.spec.ports]
    else:
        spec = owner.spec if resource == "pods" else owner.spec.template.spec
        found = [(p.name, p.containerPort, p.protocol) for c in spec.containers for p in c.ports]
    if not found:
        raise ApiError(Reason.BAD_REQUEST, "its containers name no ports: give --port")
    return [
        {"name": name or f"port-{index}", "port": port, "protocol": protocol, **target}
        for index, (name, port, protocol) in enumerate(found, 1)
    ]


@click.command("run")
@click.argument("name")
@click.argument("arguments", nargs=-1)
@session.flags
@click.option("--image", required=True)
@click.option("--command", "as_command", is_flag=True, help="The words replace the entry point.")
@click.option("--env", multiple=True, help="KEY=VALUE.")
@click.option("--port", type=int, default=0)
@click.option("-l", "--labels", default="", help="KEY=VALUE,…")
@click.option("--restart", type=click.Choice(["Always", "OnFailure", "Never"]), default="Always")
@output_flags
def run(target: Target, name: str, arguments: tuple[str, ...], **given: Any) -> None:
    """Run one pod: NAME --image=IMAGE [-- ARGUMENT…]."""
    labels = making.pairs([word for word in given["labels"].split(",") if word], "--labels")
    tree = making.pod(name, given["image"], labels, given["restart"])
    container = tree["spec"]["containers"][0]
    if arguments:
        container["command" if given["as_command"] else "args"] = list(arguments)
    if given["port"]:
        container["ports"] = [{"containerPort": given["port"]}]
    pairs = making.pairs(given["env"], "--env")
    if pairs:
        container["env"] = [{"name": key, "value": value} for key, value in pairs.items()]
    create_tree(target, tree, given)
