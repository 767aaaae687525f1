"""A bare pod machine in tests: builds pods, feeds events, writes instructions as short words."""

from __future__ import annotations

import math
from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine import events, instructions, status
from holdfast.node.machine.pod import PodMachine


def pod(
    *containers: str,
    inits: tuple[str, ...] = (),
    policy: str = "Always",
    volumes: tuple[str, ...] = (),
) -> core.Pod:
    """A bound pod with these containers, as defaulting leaves it."""
    built = core.Pod()
    built.metadata.name, built.metadata.namespace = "web", "default"
    built.metadata.uid = "uid-1"
    built.metadata.generation = 1
    built.spec.nodeName = "node-1"
    built.spec.restartPolicy = policy
    built.spec.terminationGracePeriodSeconds = 30
    for name in containers or ("main",):
        built.spec.containers.add(name=name, image="image:1", imagePullPolicy="IfNotPresent")
    for name in inits:
        built.spec.initContainers.add(name=name, image="image:1", imagePullPolicy="IfNotPresent")
    for name in volumes:
        built.spec.volumes.add(name=name).volumeSource.emptyDir.SetInParent()
    built.status.phase = "Pending"
    built.status.conditions.add(type="PodScheduled", status="True")
    return built


def deleted(built: core.Pod, grace_s: int = 30) -> core.Pod:
    """The same pod with a deletionTimestamp."""
    copy = core.Pod()
    copy.CopyFrom(built)
    copy.metadata.deletionTimestamp.seconds = 1
    copy.metadata.deletionGracePeriodSeconds = grace_s
    return copy


def word(order: instructions.Instruction) -> str:
    """An instruction in a few characters."""
    match order:
        case instructions.RunSandbox():
            return f"sandbox {order.attempt}"
        case instructions.EnsureImage():
            return f"image {order.container.name}"
        case instructions.StartContainer():
            return f"start {order.container.name} {order.attempt}"
        case instructions.StopContainer():
            return f"stop {order.container} {order.grace_s}"
        case instructions.RunProbe():
            return f"probe {order.container} {order.kind}"
        case instructions.RemoveContainer():
            return f"remove {order.id}"
        case instructions.Record():
            return f"event {order.reason}"
        case _:
            return type(order).__name__


class Story:
    """A machine and its clock. Each call returns the words of what it ordered."""

    def __init__(self, built: core.Pod, machine: PodMachine | None = None) -> None:
        self.now = 1000.0
        self.machine = machine or PodMachine(built, self.now)
        self.built = built

    def tell(self, event: events.Event, *, news: bool = False) -> list[str]:
        """An event; news: with the events for users."""
        orders = self.machine.handle(event, self.now)
        assert self.machine.deadline() > self.now, self.machine.deadline()
        return [word(o) for o in orders if news or not isinstance(o, instructions.Record)]

    def wait(self, *, news: bool = False) -> list[str]:
        """Let time pass until the machine's deadline."""
        at = self.machine.deadline()
        assert at < math.inf, "nothing to wait for"
        self.now = at
        return self.tell(events.Ticked(), news=news)

    def begin(self) -> list[str]:
        return self.tell(events.PodChanged(self.built))

    def image(self, name: str = "main") -> list[str]:
        return self.tell(events.ImageReady(name, "there", False))

    def sandbox(self, attempt: int = 0) -> list[str]:
        return self.tell(events.SandboxStarted(attempt, f"sandbox-{attempt}", "10.0.0.9"))

    def started(self, name: str = "main", attempt: int = 0) -> list[str]:
        event = events.ContainerStarted(name, attempt, f"{name}-{attempt}", "ref", self.now)
        return self.tell(event)

    def exited(self, name: str = "main", attempt: int = 0, code: int = 1) -> list[str]:
        reason = "Error" if code else "Completed"
        event = events.ContainerExited(
            name, f"{name}-{attempt}", code, reason, "", self.now - 1, self.now
        )
        return self.tell(event)

    def run(self, *names: str) -> None:
        """Bring containers (default: main) up from the beginning."""
        self.begin()
        self.sandbox()
        for name in names or ("main",):
            self.image(name)
            self.started(name)

    def status(self) -> core.PodStatus:
        return status.build(self.machine, "192.0.2.1", self.now)

    def shown(self, name: str = "main") -> Any:
        """The container's status."""
        whole = self.status()
        every = (*whole.initContainerStatuses, *whole.containerStatuses)
        return next(item for item in every if item.name == name)

    def condition(self, kind: str) -> Any:
        return next(item for item in self.status().conditions if item.type == kind)
