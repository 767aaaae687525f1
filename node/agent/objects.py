"""ConfigMaps, Secrets and Services that pods refer to, fetched when they are needed.

What was fetched is kept, bounded, for the time the control nodes do not answer: a container that
crashes then is still restarted with its environment.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from holdfast.api.client import Client
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason

KEPT_MAX = 500
FRESH_S = 1.0
_UNREACHED = frozenset({Reason.UNAVAILABLE, Reason.TIMEOUT, Reason.NOT_LEADER})


class ObjectSource:
    """Objects by namespace and name, at most FRESH_S old while the control nodes answer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.client: Client | None = None  # set whenever the uplink connects
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str, str], tuple[float, Any]] = OrderedDict()

    async def config_maps(
        self, namespace: str, names: Iterable[str]
    ) -> dict[str, core.ConfigMap | None]:
        """By name; None = it does not exist. Raises ApiError."""
        return {name: await self._get("configmaps", namespace, name) for name in sorted(names)}

    async def secrets(self, namespace: str, names: Iterable[str]) -> dict[str, core.Secret | None]:
        """By name; None = it does not exist. Raises ApiError."""
        return {name: await self._get("secrets", namespace, name) for name in sorted(names)}

    async def services(self, namespace: str) -> tuple[core.Service, ...]:
        """The namespace's Services and the API's own (default/kubernetes). Raises ApiError."""
        found = await self._kept_or("services", namespace, "", self._list_services(namespace))
        api = await self._get("services", "default", "kubernetes")
        return (*found, api) if api is not None and namespace != "default" else tuple(found)

    async def _list_services(self, namespace: str) -> list[core.Service]:
        return (await self._connected().list("services", namespace)).objects

    async def _get(self, resource: str, namespace: str, name: str) -> Any:
        return await self._kept_or(
            resource, namespace, name, self._fetch(resource, namespace, name)
        )

    async def _fetch(self, resource: str, namespace: str, name: str) -> Any:
        try:
            return await self._connected().get(resource, name, namespace)
        except ApiError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise

    def _connected(self) -> Client:
        if self.client is None:
            raise ApiError(Reason.UNAVAILABLE, "not connected to a control node yet")
        return self.client

    async def _kept_or(self, resource: str, namespace: str, name: str, fetching: Any) -> Any:
        key = (resource, namespace, name)
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < FRESH_S:
            fetching.close()
            return kept[1]
        try:
            found = await fetching
        except ApiError as error:
            if kept is None or error.reason not in _UNREACHED:
                raise
            return kept[1]
        self._kept[key] = (self._clock(), found)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return found
