"""`holdfast config get-contexts|current-context|use-context`: the kubeconfig files."""

from __future__ import annotations

import click

from holdfast.api import kubeconfig
from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, session
from holdfast.cli.output.table import lines
from holdfast.cli.session import Target


@click.group("config")
def command() -> None:
    """Which clusters are known, and which is used."""


@command.command("get-contexts")
@session.flags
def get_contexts(target: Target) -> None:
    """List the contexts; the current one has a star."""
    rows = [
        ["*" if c.current else "", c.name, c.cluster, c.user, c.namespace]
        for c in kubeconfig.contexts(kubeconfig.read(target.files))
    ]
    header = ["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]
    click.echo("\n".join(lines(header, rows)))


@command.command("current-context")
@session.flags
def current_context(target: Target) -> None:
    """Print the current context's name."""
    current = kubeconfig.read(target.files).current
    if not current:
        raise ApiError(Reason.NOT_FOUND, "no current context is set")
    click.echo(current)


@command.command("use-context")
@click.argument("name", shell_complete=completing.contexts)
@session.flags
def use_context(target: Target, name: str) -> None:
    """Make a context the current one."""
    kubeconfig.use_context(kubeconfig.read(target.files), name)
    click.echo(f'Switched to context "{name}".')
