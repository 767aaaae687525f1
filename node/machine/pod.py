"""The machine of one pod: events in, instructions out. Pure module.

`handle` notes what an event says, then looks at the whole state for what must happen next; so the
order of events does not matter, and a lost one is made good by whatever comes next.
"""

from __future__ import annotations

from holdfast.node.machine import advancing
from holdfast.node.machine.events import Event
from holdfast.node.machine.instructions import Instruction
from holdfast.node.machine.noting import NOTE
from holdfast.node.machine.state import PodState


class PodMachine(PodState):
    """One pod. Make it (or `adoption.adopt` one), send it PodChanged, then whatever happens."""

    __slots__ = ()

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take one event; returns what must be done now. now: Unix seconds."""
        out: list[Instruction] = []
        NOTE[type(event)](self, event, now, out)
        advancing.advance(self, now, out)
        return out

    def deadline(self) -> float:
        """When to send Ticked, Unix seconds; infinity when only an event can move the pod.

        Always later than the `now` of the last `handle`.
        """
        return advancing.deadline(self)
