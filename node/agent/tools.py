"""What every part of the agent's shell works with, in one hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from holdfast.node.agent.cgroups import Cgroups
from holdfast.node.agent.objects import ObjectSource
from holdfast.node.specs.building import Place
from holdfast.runtime.interface import Runtime, RuntimeEvent


class Owner(NamedTuple):
    """Whose a sandbox (container "") or a container is."""

    uid: str
    container: str


class Owners:
    """Owners by sandbox and container id, and exits that came before their start was told.

    A container may end before StartContainer has returned: its exit is held until `started`.
    """

    def __init__(self) -> None:
        self._owners: dict[str, Owner] = {}
        self._starting: dict[str, list[RuntimeEvent]] = {}

    def add(self, runtime_id: str, owner: Owner, *, starting: bool = False) -> None:
        """Note whose it is. starting: hold its events until `started`."""
        self._owners[runtime_id] = owner
        if starting:
            self._starting[runtime_id] = []

    def get(self, runtime_id: str) -> Owner | None:
        """Whose it is; None = not ours, or gone."""
        return self._owners.get(runtime_id)

    def held(self, event: RuntimeEvent) -> bool:
        """Whether the event has to wait, and now does."""
        waiting = self._starting.get(event.id)
        if waiting is None:
            return False
        waiting.append(event)
        return True

    def started(self, runtime_id: str) -> list[RuntimeEvent]:
        """Its start was told; returns what was held, to be told now."""
        return self._starting.pop(runtime_id, [])

    def forget(self, runtime_id: str) -> None:
        """It is gone."""
        self._owners.pop(runtime_id, None)
        self._starting.pop(runtime_id, None)

    def forget_pod(self, uid: str) -> None:
        """Everything of a pod is gone."""
        for runtime_id in [key for key, owner in self._owners.items() if owner.uid == uid]:
            self.forget(runtime_id)


@dataclass(slots=True)
class Tools:
    """The runtime and what its specifications are made from."""

    runtime: Runtime
    place: Place
    objects: ObjectSource
    cgroups: Cgroups
    allocatable: dict[str, str]
    owners: Owners = field(default_factory=Owners)
