"""Waiting for an object to become something: by watch, never by polling.

`wait`, `delete`, `rollout status` and `drain` use these. A watch that breaks is opened again, so
that a restarted control node does not end the wait.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason

if TYPE_CHECKING:
    from holdfast.api.client import Client

RETRY_S = 0.2
RETRIES_MAX = 50
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def length(text: str) -> float:
    """Seconds of "90s", "1m30s", "2h" or a bare number: a flag's `type=length`.

    Raises click.BadParameter, which click completes with the flag's name.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise click.BadParameter(f'"{text}" is no length of time such as 30s, 5m or 1h30m')
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


async def states(client: Client, resource: str, name: str, namespace: str) -> AsyncIterator[Any]:
    """The object now and after each change; None while it does not exist. Never ends by itself.

    Raises ApiError when the control node stays away for about ten seconds.
    """
    failures = 0
    seen = False
    while True:
        stream = client.watch(resource, namespace, fields=f"metadata.name={name}", latest_only=True)
        try:
            async for batch in stream:
                failures = 0
                for event in batch:
                    if event.object is None and not seen:
                        yield None
                    elif event.object is not None:
                        seen = event.type != "DELETED"
                        yield event.object if seen else None
        except ApiError as error:
            failures += 1
            passing = (Reason.UNAVAILABLE, Reason.EXPIRED, Reason.TIMEOUT)
            if error.reason not in passing or failures > RETRIES_MAX:
                raise
        seen = False
        await asyncio.sleep(RETRY_S)


async def until_gone(client: Client, resource: str, name: str, namespace: str, uid: str) -> None:
    """Return when this incarnation of the object does not exist."""
    async for message in states(client, resource, name, namespace):
        if message is None or (uid and message.metadata.uid != uid):
            return
