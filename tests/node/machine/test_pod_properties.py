"""Whatever happens, in whatever order: named safety properties of the pod machine.

A naive runtime keeps the truth about what runs; the machine's instructions are carried out in a
random order, some fail, and the user interferes.
"""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.node.machine import events, instructions, status
from holdfast.node.machine.pod import PodMachine
from holdfast.node.machine.state import Course
from tests.node.machine.script import deleted, pod

_SILENT = (
    instructions.Record,
    instructions.RemoveContainer,
    instructions.RemoveSandbox,
    instructions.StopSandbox,
)


class PodStory(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.pod = pod("a", "b", inits=("i",), volumes=("v",))
        self.machine = PodMachine(self.pod, self.now)
        self.pending = []
        self.running = {}
        self.cleaned = False
        self.deleted = False
        self.made = 0
        self.tell(events.PodChanged(self.pod))

    def tell(self, event):
        for order in self.machine.handle(event, self.now):
            if isinstance(order, instructions.DeletePod):
                assert self.cleaned, "the object is let go of while something is left"
                self.deleted = True
            elif not isinstance(order, _SILENT):
                self.pending.append(order)
        self.now += 0.001

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), well=st.booleans())
    def finish_one(self, data, well):
        order = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        match order:
            case instructions.MountVolumes():
                self.tell(events.VolumesReady() if well else events.VolumesFailed("no"))
            case instructions.RunSandbox(attempt):
                sandbox_id = f"sandbox-{attempt}"
                started = events.SandboxStarted(attempt, sandbox_id, "10.0.0.1")
                self.tell(started if well else events.SandboxFailed(attempt, "no"))
            case instructions.EnsureImage(container):
                name = container.name
                ready = events.ImageReady(name, "", False)
                self.tell(ready if well else events.ImageFailed(name, "ErrImagePull", "no"))
            case instructions.StartContainer():
                self.start(order, well)
            case instructions.StopContainer(name, container_id, _):
                if well:
                    self.exit(name, container_id, 137)
                else:
                    self.tell(events.StopFailed(name, container_id, "no"))
            case instructions.RunProbe(name, container_id, kind, _):
                self.tell(events.ProbeFinished(name, container_id, kind, well, ""))
            case instructions.CleanPod():
                assert not self.running, "cleaned while a container runs"
                self.cleaned = well
                self.tell(events.PodCleaned() if well else events.CleanFailed("no"))

    def start(self, order, well):
        name = order.container.name
        assert name not in self.running, f"{name} runs twice"
        if not order.init:
            assert "i" not in self.running, "a container runs beside an init container"
        if not well:
            self.tell(events.ContainerFailed(name, order.attempt, "CreateContainerError", "no"))
            return
        self.made += 1
        container_id = f"{name}-{self.made}"
        self.running[name] = container_id
        self.tell(events.ContainerStarted(name, order.attempt, container_id, "ref", self.now))

    def exit(self, name, container_id, code):
        if self.running.get(name) == container_id:
            del self.running[name]
        self.tell(events.ContainerExited(name, container_id, code, "", "", self.now - 1, self.now))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), code=st.sampled_from([0, 1]))
    def container_ends(self, data, code):
        name = data.draw(st.sampled_from(sorted(self.running)))
        self.exit(name, self.running[name], code)

    @rule()
    def sandbox_dies(self):
        self.tell(events.SandboxExited(self.machine.sandbox_id))

    @precondition(lambda self: self.machine.deadline() < math.inf)
    @rule()
    def time_passes(self):
        self.now = max(self.now, self.machine.deadline())
        self.tell(events.Ticked())

    @rule(grace=st.sampled_from([0, 5, 30]))
    def user_deletes(self, grace):
        self.pod = deleted(self.pod, grace)
        self.tell(events.PodChanged(self.pod))

    @precondition(lambda self: self.machine.course is not Course.GONE)
    @rule()
    def user_forces(self):
        self.tell(events.PodRemoved())

    @invariant()
    def status_can_always_be_built(self):
        built = status.build(self.machine, "192.0.2.1", self.now)
        assert built.phase in ("Pending", "Running", "Succeeded", "Failed")

    @invariant()
    def never_stuck(self):
        """Something is under way, or time will tell, or all is as it should be."""
        course = self.machine.course
        if self.pending or self.machine.deadline() < math.inf:
            return
        if course is Course.LIVE:
            assert set(self.running) in ({"i"}, {"a", "b"})
        else:
            assert course in (Course.OVER, Course.GONE)
            assert not self.running


TestPodStory = PodStory.TestCase
TestPodStory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
