"""Following the cluster: services, endpoints and nodes, under the node's own certificate.

The node agent on this machine writes the credentials and renews them; a new set is picked up by
connecting again. Without credentials, or without a control plane, the picture stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from holdfast.api.client import Client, Endpoint, Event, EventType, Reflector
from holdfast.api.errors import ApiError
from holdfast.api.tls import credentials
from holdfast.netproxy.picture import RESOURCES, Picture

CREDENTIALS_WAIT_S = 0.25
"""How often to look for credentials before the node has joined."""

CREDENTIALS_CHECK_S = 10.0

log = structlog.get_logger()


class _RenewedError(Exception):
    """The credentials on disk are not those in use."""


class Following:
    """Feeds a picture. changed: called when something to do follows from what was told.

    complete: set when every resource has been told whole once.
    """

    def __init__(self, picture: Picture, directory: Path, changed: Callable[[], None]) -> None:
        self.complete = asyncio.Event()
        self._picture = picture
        self._directory = directory
        self._changed = changed

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            endpoint = await self._credentials()
            try:
                async with Client.connect(endpoint) as client:
                    await self._follow(client, endpoint)
            except* _RenewedError:
                log.info("credentials were renewed")

    async def _credentials(self) -> Endpoint:
        said = ""
        while True:
            try:
                return credentials.load(self._directory)
            except ApiError as error:
                if error.message != said:
                    said = error.message
                    log.info("waiting for credentials", why=said)
            await asyncio.sleep(CREDENTIALS_WAIT_S)

    async def _follow(self, client: Client, endpoint: Endpoint) -> None:
        async with asyncio.TaskGroup() as group:
            synced = []
            for resource in RESOURCES:
                reflector = Reflector(
                    client, resource, on_batch=self._taker(resource), latest_only=True
                )
                group.create_task(reflector.run())
                synced.append(group.create_task(self._settle(resource, reflector)))
            group.create_task(self._watch_credentials(endpoint))
            for task in synced:
                await task
            self.complete.set()
            self._changed()

    def _taker(self, resource: str) -> Callable[[list[Event]], None]:
        def take(events: list[Event]) -> None:
            changes = [
                self._picture.drop(resource, event.object)
                if event.type is EventType.DELETED
                else self._picture.put(resource, event.object)
                for event in events
            ]
            if any(changes):
                self._changed()

        return take

    async def _settle(self, resource: str, reflector: Reflector) -> None:
        """After the first full state: what an older picture had besides is gone."""
        await reflector.synced.wait()
        if self._picture.retain(resource, reflector.objects.keys()):
            self._changed()

    async def _watch_credentials(self, endpoint: Endpoint) -> None:
        while True:
            await asyncio.sleep(CREDENTIALS_CHECK_S)
            try:
                if credentials.load(self._directory) != endpoint:
                    raise _RenewedError
            except ApiError as error:
                log.warning("credentials cannot be read", why=error.message)
