"""`holdfast create`: from a file, or a namespace, configmap, secret, deployment … from flags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.api import codec
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli import making, manifests, session
from holdfast.cli.output import printer
from holdfast.cli.session import Target
from holdfast.cli.verbs.apply import DRY_RUN_NOTES

if TYPE_CHECKING:
    from holdfast.api.client import Client

FILES_BYTES_MAX = 1 << 20
Data = dict[str, bytes]


async def send(
    client: Client, namespace: str, found: list[tuple[Kind, Any]], given: dict[str, Any]
) -> None:
    """Create objects and say so, or show them with -o."""
    chosen = printer.parse(given["output"])
    made = []
    for kind, message in found:
        where = (message.metadata.namespace or namespace) if kind.namespaced else ""
        if given["dry_run"] != "client":
            server = given["dry_run"] == "server"
            message = await client.create(kind.resource, message, where, dry_run=server)
        made.append((kind, message))
        if chosen.table:
            name = message.metadata.name or message.metadata.generateName
            note = DRY_RUN_NOTES[given["dry_run"]]
            click.echo(f"{printer.full_name(kind, name)} created{note}")
    if not chosen.table:
        printer.show(made, chosen, single=len(made) == 1)


def output_flags(function: Any) -> Any:
    """Add -o and --dry-run."""
    dry_run = click.option("--dry-run", type=click.Choice(list(DRY_RUN_NOTES)), default="none")
    return click.option("-o", "--output", help=printer.FORMATS)(dry_run(function))


def create_tree(target: Target, tree: dict[str, Any], given: dict[str, Any]) -> None:
    """Create the object of a JSON tree."""
    found = codec.decode_object(tree)

    async def work(client: Client) -> None:
        await send(client, target.namespace, [found], given)

    session.run(target, work, "kubectl-create")


@click.group("create", invoke_without_command=True)
@manifests.flags
@session.flags
@output_flags
@click.pass_context
def command(context: click.Context, /, target: Target, **given: Any) -> None:
    """Create objects from -f FILE, or one from flags: `create deployment web --image=…`."""
    if context.invoked_subcommand is not None:
        return
    found = manifests.load(given["filenames"], recursive=given["recursive"])
    found = manifests.placed(found, target.namespace_flag, target.namespace)

    async def work(client: Client) -> None:
        await send(client, target.namespace, [(m.kind, m.message) for m in found], given)

    session.run(target, work, "kubectl-create")


@command.command("namespace")
@click.argument("name")
@session.flags
@output_flags
def namespace(target: Target, name: str, **given: Any) -> None:
    """Create a Namespace."""
    create_tree(target, making.namespace(name), given)


@command.command("serviceaccount")
@click.argument("name")
@session.flags
@output_flags
def serviceaccount(target: Target, name: str, **given: Any) -> None:
    """Create a ServiceAccount."""
    create_tree(target, making.service_account(name), given)


def data_flags(function: Any) -> Any:
    """Add --from-literal, --from-file and --from-env-file."""
    for flag, text in (
        ("--from-literal", "KEY=VALUE."),
        ("--from-file", "FILE, KEY=FILE or a directory."),
        ("--from-env-file", "A file of KEY=VALUE lines."),
    ):
        function = click.option(flag, multiple=True, help=text)(function)
    return function


@command.command("configmap")
@click.argument("name")
@session.flags
@data_flags
@output_flags
def configmap(target: Target, name: str, **given: Any) -> None:
    """Create a ConfigMap from literals and files."""
    create_tree(target, making.config_map(name, data_of(given)), given)


@command.group("secret")
def secret() -> None:
    """Create a Secret."""


@secret.command("generic")
@click.argument("name")
@session.flags
@data_flags
@click.option("--type", "type_", default="Opaque")
@output_flags
def generic(target: Target, name: str, type_: str, **given: Any) -> None:
    """Create a Secret from literals and files."""
    create_tree(target, making.secret(name, data_of(given), type_), given)


@secret.command("tls")
@click.argument("name")
@session.flags
@click.option("--cert", type=click.Path(path_type=Path), required=True)
@click.option("--key", type=click.Path(path_type=Path), required=True)
@output_flags
def tls(target: Target, name: str, cert: Path, key: Path, **given: Any) -> None:
    """Create a Secret of a certificate and its key."""
    data = {"tls.crt": _read(cert), "tls.key": _read(key)}
    create_tree(target, making.secret(name, data, "kubernetes.io/tls"), given)


@command.command("deployment")
@click.argument("name")
@click.argument("arguments", nargs=-1)
@session.flags
@click.option("--image", "images", multiple=True, required=True)
@click.option("-r", "--replicas", type=int, default=1)
@click.option("--port", type=int, default=0)
@output_flags
def deployment(
    target: Target, name: str, arguments: tuple[str, ...], images: tuple[str, ...], **given: Any
) -> None:
    """Create a Deployment: NAME --image=IMAGE [-- COMMAND]."""
    if len(images) > 1 and arguments:
        raise ApiError(Reason.BAD_REQUEST, "several --image and a command do not go together")
    tree = making.deployment(name, images, given["replicas"], given["port"], list(arguments))
    create_tree(target, tree, given)


@command.group("service")
def service() -> None:
    """Create a Service that selects app=NAME."""


def _service(verb: str, type_: str, text: str) -> None:
    @service.command(verb, help=text)
    @click.argument("name")
    @session.flags
    @click.option("--tcp", multiple=True, help="PORT or PORT:TARGETPORT.")
    @output_flags
    def make(target: Target, name: str, tcp: tuple[str, ...], **given: Any) -> None:
        if not tcp:
            raise ApiError(Reason.BAD_REQUEST, "give at least one --tcp=PORT[:TARGETPORT]")
        ports = [making.service_port(text) for text in tcp]
        create_tree(target, making.service(name, {"app": name}, ports, type_), given)


_service("clusterip", "ClusterIP", "Reached at an address inside the cluster.")
_service("nodeport", "NodePort", "Reached at a port of every node, too.")


def data_of(given: dict[str, Any]) -> Data:
    """The data of --from-literal, --from-file and --from-env-file. Raises ApiError."""
    data: Data = {}
    literals = making.pairs(given["from_literal"], "--from-literal")
    _add(data, {key: value.encode() for key, value in literals.items()})
    for word in given["from_file"]:
        key, equals, name = word.rpartition("=")
        path = Path(name)
        if path.is_dir() and not equals:
            files = sorted(child for child in path.iterdir() if child.is_file())
            _add(data, {child.name: _read(child) for child in files})
        else:
            _add(data, {key or path.name: _read(path)})
    for name in given["from_env_file"]:
        lines = _read(Path(name)).decode().splitlines()
        words = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        pairs = making.pairs(words, f"--from-env-file {name}")
        _add(data, {key: value.encode() for key, value in pairs.items()})
    return data


def _add(data: Data, more: Data) -> None:
    for key, value in more.items():
        if key in data:
            raise ApiError(Reason.BAD_REQUEST, f'the key "{key}" is given twice')
        data[key] = value


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"cannot read {path}: {error.strerror}") from None
