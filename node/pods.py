"""The pods of one node: a machine each, their deadlines, and what their machines order.

Synchronous: whoever learns something calls `upsert`, `remove` or `deliver`; instructions go to
`execute`, machines whose status may have changed to `changed`. Used alike by the real agent, by
hollow nodes and, bare, by tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine import events
from holdfast.node.machine.events import Event
from holdfast.node.machine.instructions import Instruction
from holdfast.node.machine.pod import PodMachine
from holdfast.node.machine.state import Course
from holdfast.node.timers import Timers

Execute = Callable[[PodMachine, Instruction], None]


class Pods:
    """Machines by uid. execute must not call back in: it starts something that later does."""

    def __init__(
        self,
        timers: Timers,
        execute: Execute,
        changed: Callable[[PodMachine], None],
        make: Callable[[core.Pod, float], PodMachine] = PodMachine,
    ) -> None:
        """make: the machine of a pod that is told for the first time, at a time."""
        self.machines: dict[str, PodMachine] = {}
        self._timers = timers
        self._execute = execute
        self._changed = changed
        self._make = make
        self._armed: dict[str, float] = {}

    def upsert(self, pod: core.Pod) -> None:
        """A pod bound to this node is as given."""
        uid = pod.metadata.uid
        if uid not in self.machines:
            self.machines[uid] = self._make(pod, self._timers.now())
        self.deliver(uid, events.PodChanged(pod))

    def remove(self, uid: str) -> None:
        """A pod's object is gone from the cluster."""
        self.deliver(uid, events.PodRemoved())

    def deliver(self, uid: str, event: Event) -> None:
        """Something happened to a pod; unknown here means it ended meanwhile."""
        machine = self.machines.get(uid)
        if machine is None:
            return
        for instruction in machine.handle(event, self._timers.now()):
            self._execute(machine, instruction)
        if machine.course is Course.GONE and machine.removed:
            del self.machines[uid]
            self._armed.pop(uid, None)
            return
        deadline = machine.deadline()
        if deadline != self._armed.get(uid, math.inf):
            self._armed[uid] = deadline
            if deadline < math.inf:
                self._timers.at(deadline, self._tick, uid, deadline)
        if machine.dirty:
            self._changed(machine)

    def _tick(self, uid: str, deadline: float) -> None:
        if self._armed.get(uid) == deadline:
            self._armed.pop(uid)
            self.deliver(uid, events.Ticked())
