"""The control nodes of `up --control N`, asked while they find each other.

After a restart the first of them serves before a majority runs: what is asked then is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from holdfast.api.client import Client
from holdfast.api.errors import ApiError, Reason
from holdfast.cli import access
from holdfast.cli.cluster.settings import Settings

PATIENCE_S = 60.0
AGAIN_S = 0.1
JOIN_TOKEN_LIFETIME_S = 600
Reply = TypeVar("Reply")
_PASSING = (Reason.UNAVAILABLE, Reason.NOT_LEADER, Reason.TIMEOUT, Reason.UNKNOWN_OUTCOME)


async def token(client: Client, *, control: bool) -> str:
    """A join token, for a control node if so asked. Raises ApiError."""
    description = "up: a control node" if control else "up"

    async def ask() -> str:
        return await access.create_token(
            client, description, JOIN_TOKEN_LIFETIME_S, uses=int(control), control=control
        )

    return await _patiently(ask)


async def until_voting(client: Client, settings: Settings) -> None:
    """Return when there is a leader and every control node votes (on an etcd: runs); says each
    that does."""
    said: dict[str, None] = {}
    runs = "runs" if settings.on_etcd else "votes"

    async def ask() -> bool:
        members = (await client.status()).members
        for member in sorted(members, key=lambda one: one.name):
            known = member.peer or settings.on_etcd
            if member.voter and known and member.name not in said:
                said[member.name] = None
                click.echo(f"{member.name} {runs}")
        return all(one.voter for one in members) and any(one.leader for one in members)

    try:
        async with client, asyncio.timeout(PATIENCE_S):
            while not await _patiently(ask):  # noqa: ASYNC110 — the others' votes have no event
                await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        message = f"the control nodes found no leader in {PATIENCE_S:.0f} s; see {settings.logs}"
        raise ApiError(Reason.TIMEOUT, message) from None


async def _patiently(ask: Callable[[], Awaitable[Reply]]) -> Reply:
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while True:
        try:
            return await ask()
        except ApiError as error:
            if error.reason not in _PASSING or loop.time() >= until:
                raise
            await asyncio.sleep(AGAIN_S)
