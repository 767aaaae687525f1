"""`holdfast create`: from a file, or a namespace, configmap, secret, deployment … from flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from holdfast.cli import creating, session
from holdfast.cli.input import making, manifests, sources
from holdfast.cli.output import outcomes
from holdfast.cli.session import Target

MANAGER = "kubectl-create"


def _create(target: Target, tree: dict[str, Any], given: dict[str, Any]) -> None:
    creating.create(target, [creating.from_tree(tree)], given, MANAGER)


@click.group("create", invoke_without_command=True)
@manifests.flags
@session.flags
@outcomes.flags
@click.pass_context
def command(context: click.Context, /, target: Target, **given: Any) -> None:
    """Create objects from -f FILE, or one from flags: `create deployment web --image=…`."""
    if context.invoked_subcommand is not None:
        source = context.get_parameter_source
        if any(source(name) is not ParameterSource.DEFAULT for name in given):
            raise click.UsageError("flags go after the type: `create configmap NAME --dry-run=…`")
        return
    found = manifests.read(target, given)
    new = [creating.New(m.kind, m.message, m.source) for m in found]
    creating.create(target, new, given, MANAGER)


@command.command("namespace")
@click.argument("name")
@session.flags
@outcomes.flags
def namespace(target: Target, name: str, **given: Any) -> None:
    """Create a Namespace."""
    _create(target, making.namespace(name), given)


@command.command("serviceaccount")
@click.argument("name")
@session.flags
@outcomes.flags
def serviceaccount(target: Target, name: str, **given: Any) -> None:
    """Create a ServiceAccount."""
    _create(target, making.service_account(name), given)


@command.command("configmap")
@click.argument("name")
@session.flags
@sources.flags
@outcomes.flags
def configmap(target: Target, name: str, **given: Any) -> None:
    """Create a ConfigMap from literals and files."""
    _create(target, making.config_map(name, sources.read(given)), given)


@command.group("secret")
def secret() -> None:
    """Create a Secret."""


@secret.command("generic")
@click.argument("name")
@session.flags
@sources.flags
@click.option("--type", "type_", default="Opaque", help="What the data is.")
@outcomes.flags
def generic(target: Target, name: str, type_: str, **given: Any) -> None:
    """Create a Secret from literals and files."""
    _create(target, making.secret(name, sources.read(given), type_), given)


@secret.command("tls")
@click.argument("name")
@session.flags
@click.option("--cert", type=click.Path(path_type=Path), required=True, help="PEM file.")
@click.option("--key", type=click.Path(path_type=Path), required=True, help="PEM file.")
@outcomes.flags
def tls(target: Target, name: str, cert: Path, key: Path, **given: Any) -> None:
    """Create a Secret of a certificate and its key."""
    data = {"tls.crt": sources.content(cert), "tls.key": sources.content(key)}
    _create(target, making.secret(name, data, "kubernetes.io/tls"), given)


@command.command("deployment")
@click.argument("name")
@click.argument("arguments", nargs=-1)
@session.flags
@click.option("--image", "images", multiple=True, required=True, help="One container each.")
@click.option("-r", "--replicas", type=click.IntRange(min=0), default=1, help="How many pods.")
@click.option("--port", type=click.IntRange(1, 65535), help="That the container listens on.")
@outcomes.flags
def deployment(
    target: Target, name: str, arguments: tuple[str, ...], images: tuple[str, ...], **given: Any
) -> None:
    """Create a Deployment: NAME --image=IMAGE [-- COMMAND]."""
    if len(images) > 1 and arguments:
        raise click.UsageError("several --image and a command do not go together")
    tree = making.deployment(name, images, given["replicas"], given["port"], list(arguments))
    _create(target, tree, given)


@command.group("service")
def service() -> None:
    """Create a Service that selects app=NAME."""


def _service(verb: str, type_: str, text: str) -> None:
    @service.command(verb, help=text)
    @click.argument("name")
    @session.flags
    @click.option("--tcp", multiple=True, required=True, help="PORT or PORT:TARGETPORT.")
    @outcomes.flags
    def make(target: Target, name: str, tcp: tuple[str, ...], **given: Any) -> None:
        ports = [making.service_port(text) for text in tcp]
        _create(target, making.service(name, {"app": name}, ports, type_), given)


_service("clusterip", "ClusterIP", "Reached at an address inside the cluster.")
_service("nodeport", "NodePort", "Reached at a port of every node, too.")
