"""What every verb that talks to a cluster shares: its flags, its client, its loop.

    @click.command("get")
    @session.flags
    def command(target: Target, ...) -> None:
        session.run(target, lambda client: get(client, ...))

Refusals leave as ApiError and become one sentence in `cli.main`.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import completing

if TYPE_CHECKING:
    from holdfast.api.client import Client


LOCAL = Path("/var/lib/holdfast/admin.kubeconfig")
"""Of the cluster that `up` runs on this machine. Without --kubeconfig and $KUBECONFIG it comes
before ~/.kube/config, so that another tool's context there does not hide it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, and which namespace of it. None: what the kubeconfig says."""

    kubeconfig: str | None
    context: str | None
    namespace_flag: str | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The kubeconfig files meant."""
        from holdfast.api import kubeconfig

        found = kubeconfig.paths(self.kubeconfig, os.environ, Path.home())
        given = self.kubeconfig or os.environ.get("KUBECONFIG")
        return found if given or not os.access(LOCAL, os.R_OK) else (LOCAL, *found)

    @property
    def namespace(self) -> str:
        """The namespace meant: -n, else the context's, else "default"."""
        from holdfast.api import kubeconfig

        if self.namespace_flag:
            return self.namespace_flag
        return kubeconfig.namespace(kubeconfig.read(self.files), self.context)


def options(function: Callable[..., None]) -> Callable[..., None]:
    """Add -n, --context and --kubeconfig. The root command has them too, so that they may stand
    before the verb: `holdfast -n kube-system get pods`."""
    namespace = click.option(
        "-n",
        "--namespace",
        "namespace_",
        help="Default: the context's.",
        shell_complete=completing.names_of("namespaces"),
    )
    context = click.option(
        "--context",
        "context_",
        help="Which context of the kubeconfig.",
        shell_complete=completing.contexts,
    )
    file = click.option(
        "--kubeconfig", "kubeconfig_", help="The file that says where the cluster is."
    )
    return namespace(context(file(function)))


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options, handed on as one argument `target`."""

    @options
    @functools.wraps(function)
    def with_target(*arguments: Any, **given: Any) -> None:
        for name in ("namespace_", "context_", "kubeconfig_"):
            del given[name]
        function(*arguments, target=target_of(click.get_current_context()), **given)

    return with_target


def target_of(context: click.Context) -> Target:
    """The target that a line means, perhaps half-typed: what stands nearest to the verb counts."""

    def said(name: str) -> str | None:
        here: click.Context | None = context
        while here is not None:
            if here.params.get(name):
                return str(here.params[name])
            here = here.parent
        return None

    return Target(said("kubeconfig_"), said("context_"), said("namespace_"))


def run(target: Target, work: Callable[[Client], Awaitable[None]], manager: str = "") -> None:
    """Run an async verb with a client of the target, closed at the end.

    manager: the field manager its writes carry, as "kubectl-edit" does there.
    """
    from holdfast.api import kubeconfig
    from holdfast.api.client import Client

    # Not this process's stderr: what goes wrong reaches people as one sentence.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    async def connected() -> None:
        endpoint = kubeconfig.load(target.files, target.context)
        async with Client.connect(endpoint, manager) as client:
            await work(client)

    asyncio.run(connected())
