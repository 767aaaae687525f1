"""Have a container's image on the machine, as its pull policy says.

One pull an image at a time, however many containers wait for it; a few pulls at once in all.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine import events
from holdfast.node.machine.events import Event
from holdfast.runtime.interface import Fault, Runtime, RuntimeFault

PULLS_MAX = 3
_INVALID = re.compile(r"invalid reference format|parse reference|repository name must be")


class Images:
    """Pulls images, each once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._gate = asyncio.Semaphore(PULLS_MAX)
        self._pulling: dict[str, asyncio.Task[float]] = {}

    async def ensure(self, container: core.Container, pulling: Callable[[str], None]) -> Event:
        """ImageReady or ImageFailed. pulling: told once when a pull begins."""
        name, image = container.name, container.image
        policy = container.imagePullPolicy or "IfNotPresent"
        try:
            present = await self._runtime.image_status(image) is not None
            if present and policy != "Always":
                message = f'Container image "{image}" already present on machine'
                return events.ImageReady(name, message, False)
            if policy == "Never":
                message = f'Container image "{image}" is not present with pull policy of Never'
                return events.ImageFailed(name, "ErrImageNeverPull", message)
            pulling(f'Pulling image "{image}"')
            took_s = await self._pull(image)
        except RuntimeFault as fault:
            return _failed(name, image, fault)
        message = f'Successfully pulled image "{image}" in {took_s:.3g}s'
        return events.ImageReady(name, message, True)

    async def _pull(self, image: str) -> float:
        task = self._pulling.get(image)
        if task is None:
            task = asyncio.create_task(self._pull_alone(image))
            self._pulling[image] = task
            task.add_done_callback(lambda _: self._pulling.pop(image, None))
        return await asyncio.shield(task)

    async def _pull_alone(self, image: str) -> float:
        async with self._gate:
            began = time.monotonic()
            await self._runtime.pull_image(image)
            return time.monotonic() - began


def _failed(name: str, image: str, fault: RuntimeFault) -> Event:
    if _INVALID.search(fault.message):
        message = f'Failed to apply default image tag "{image}": {fault.message}'
        return events.ImageFailed(name, "InvalidImageName", message)
    if fault.fault is Fault.UNAVAILABLE:
        return events.ImageFailed(name, "ImageInspectError", fault.message)
    return events.ImageFailed(
        name, "ErrImagePull", f'Failed to pull image "{image}": {fault.message}'
    )
