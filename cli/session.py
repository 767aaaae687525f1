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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.api import kubeconfig

if TYPE_CHECKING:
    from holdfast.api.client import Client


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, and which namespace of it. None: what the kubeconfig says."""

    kubeconfig: Path | None
    context: str | None
    namespace_flag: str | None

    @property
    def namespace(self) -> str:
        """The namespace meant: -n, else the context's, else "default"."""
        if self.namespace_flag:
            return self.namespace_flag
        return kubeconfig.namespace(self.kubeconfig, self.context)


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """Add --kubeconfig, --context and -n, handed on as one argument `target`."""

    @click.option("-n", "--namespace", "namespace_", help="Default: the context's.")
    @click.option("--context", "context_", help="Which context of the kubeconfig.")
    @click.option("--kubeconfig", "kubeconfig_", type=click.Path(path_type=Path))
    @functools.wraps(function)
    def with_target(
        *arguments: Any,
        namespace_: str | None,
        context_: str | None,
        kubeconfig_: Path | None,
        **others: Any,
    ) -> None:
        function(*arguments, target=Target(kubeconfig_, context_, namespace_), **others)

    return with_target


def run(target: Target, work: Callable[[Client], Awaitable[None]], manager: str = "") -> None:
    """Run an async verb with a client of the target, closed at the end.

    manager: the field manager its writes carry, as "kubectl-edit" does there.
    """
    from holdfast.api.client import Client

    async def connected() -> None:
        endpoint = kubeconfig.load(target.kubeconfig, target.context)
        async with Client.connect(endpoint, manager) as client:
            await work(client)

    asyncio.run(connected())
