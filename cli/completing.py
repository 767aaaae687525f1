"""What the shell offers after TAB: kinds from the table, names from the cluster, contexts.

Called by click's completion (`holdfast completion bash`). Whatever goes wrong offers nothing:
a half-typed line is no place for an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from holdfast.api.errors import ApiError

if TYPE_CHECKING:
    from holdfast.api.client import Client

TIMEOUT_S = 2.0
NAMES_MAX = 500

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def objects(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """`TYPE NAME…` and `TYPE/NAME…`: a kind first, then names of it."""
    from holdfast.api import kinds

    kind, slash, _ = incomplete.partition("/")
    words = context.params.get(parameter.name or "") or ()
    if slash:
        return [name for name in _names(context, kind, f"{kind}/") if name.startswith(incomplete)]
    if words and "/" not in words[0]:
        return _starting(_names(context, words[0]), incomplete)
    return _starting((k.plural for k in kinds.all_kinds() if k.built), incomplete)


def kind_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Kinds alone, for `explain`."""
    from holdfast.api import kinds

    return _starting((kind.plural for kind in kinds.all_kinds()), incomplete)


def names_of(word: str) -> Complete:
    """The names of one kind: `drain NODE`, `logs POD`, `-n NAMESPACE`."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        return _starting(_names(context, word), incomplete)

    return complete


def contexts(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The contexts of the kubeconfig."""
    from holdfast.api import kubeconfig
    from holdfast.cli import session

    try:
        found = kubeconfig.contexts(kubeconfig.read(session.target_of(context).files))
    except ApiError:
        return []
    return _starting((item.name for item in found), incomplete)


def _starting(words: Iterable[str], incomplete: str) -> list[str]:
    return sorted(word for word in words if word.startswith(incomplete))


def _names(context: click.Context, word: str, prefix: str = "") -> list[str]:
    """The names of a kind in the namespace that the line says so far."""
    from holdfast.api import kinds
    from holdfast.cli import session

    target = session.target_of(context)
    found: list[str] = []

    async def work(client: Client) -> None:
        kind = kinds.by_word(word)
        namespace = target.namespace if kind.namespaced else ""
        async with asyncio.timeout(TIMEOUT_S):
            listed = await client.list(kind.resource, namespace, limit=NAMES_MAX, stale=True)
        found.extend(prefix + message.metadata.name for message in listed.objects)

    try:
        session.run(target, work)
    except (ApiError, TimeoutError):
        return []
    return found
