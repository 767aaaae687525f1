"""Which nodes the words of cordon, drain and taint mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from holdfast.api.client import Client


async def chosen(client: Client, names: tuple[str, ...], selector: str = "") -> list[Any]:
    """The nodes named (`node-1`, `node/node-1`) or selected.

    Raises click.UsageError unless exactly one of the two is given, ApiError NotFound for a name.
    """
    if bool(names) == bool(selector):
        raise click.UsageError("name nodes or give -l SELECTOR (one of them)")
    if selector:
        return (await client.list("nodes", labels=selector)).objects
    return [await client.get("nodes", name.removeprefix("node/")) for name in names]
