"""`holdfast expose`: a Service for what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, creating, session
from holdfast.cli.input import making, naming
from holdfast.cli.output import outcomes
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client

TYPES = ["ClusterIP", "NodePort"]
EXPOSABLE = ("deployments.apps", "replicasets.apps", "pods", "services")


@click.command("expose")
@click.argument("words", nargs=-1, shell_complete=completing.objects)
@session.flags
@click.option("--port", type=click.IntRange(1, 65535), help="Else every port of the containers.")
@click.option("--target-port", default="", help="Number or name; else the same.")
@click.option("--name", default="", help="Else that of the object.")
@click.option("--protocol", type=click.Choice(["TCP", "UDP"]), default="TCP", help="Of --port.")
@click.option("--type", "type_", type=click.Choice(TYPES), default="ClusterIP", help="From where.")
@click.option("--selector", default="", help="KEY=VALUE,…; else that of the object.")
@outcomes.flags
def command(target: Target, words: tuple[str, ...], **given: Any) -> None:
    """Give a Deployment, ReplicaSet, Pod or Service an address: TYPE/NAME --port=80."""
    kind, name = naming.one(words)
    if kind.resource not in EXPOSABLE:
        raise ApiError(Reason.BAD_REQUEST, f"{kind.plural} cannot be exposed")
    said = making.pairs([word for word in given["selector"].split(",") if word], "--selector")

    async def work(client: Client) -> None:
        owner = await client.get(kind.resource, name, target.namespace)
        selector = said or _selector(kind.resource, owner)
        ports = _ports(owner, kind.resource, given)
        tree = making.service(given["name"] or name, selector, ports, given["type_"])
        await creating.send(client, target.namespace, [creating.from_tree(tree)], given)

    session.run(target, work, "kubectl-expose")


def _selector(resource: str, owner: Any) -> dict[str, str]:
    if resource == "pods":
        found = dict(owner.metadata.labels)
    elif resource == "services":
        found = dict(owner.spec.selector)
    else:
        if owner.spec.selector.matchExpressions:
            message = "its selector has expressions, which a Service cannot have: give --selector"
            raise ApiError(Reason.BAD_REQUEST, message)
        found = dict(owner.spec.selector.matchLabels)
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
