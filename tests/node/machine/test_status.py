"""Shapes of a pod's status that Kubernetes' users and tools know."""

from __future__ import annotations

from holdfast.node.machine import events, status
from tests.node.machine.script import Story, deleted, pod


def test_a_new_pod():
    story = Story(pod())
    story.begin()
    shown = story.status()
    assert shown.phase == "Pending"
    assert shown.hostIP == "192.0.2.1"
    assert shown.qosClass == "BestEffort"
    assert shown.startTime.seconds == 1000
    assert story.shown().state.waiting.reason == "ContainerCreating"
    assert story.condition("ContainersReady").message == "containers with unready status: [main]"
    assert status.is_starting(story.machine)


def test_a_running_pod():
    story = Story(pod())
    story.run()
    shown = story.status()
    assert shown.phase == "Running"
    assert [ip.ip for ip in shown.podIPs] == ["10.0.0.9"]
    assert {item.type: item.status for item in shown.conditions} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    container = story.shown()
    assert container.containerID == "containerd://main-0"
    assert container.imageID == "ref"
    assert container.started
    assert not container.HasField("lastState")
    assert not status.is_starting(story.machine)


def test_a_completed_pod():
    story = Story(pod(policy="Never"))
    story.run()
    story.exited(code=0)
    shown = story.status()
    assert shown.phase == "Succeeded"
    assert story.condition("Ready").reason == "PodCompleted"
    ended = story.shown().state.terminated
    assert (ended.exitCode, ended.reason) == (0, "Completed")
    assert ended.finishedAt.seconds == 1000


def test_out_of_memory_is_said_and_remembered():
    story = Story(pod())
    story.run()
    event = events.ContainerExited("main", "main-0", 137, "OOMKilled", "", 999.0, 1000.0)
    story.tell(event)
    assert story.shown().state.terminated.reason == "OOMKilled"
    story.image()
    story.started(attempt=1)
    assert story.shown().lastState.terminated.reason == "OOMKilled"
    assert story.shown().restartCount == 1


def test_conditions_keep_the_time_of_their_last_transition():
    story = Story(pod())
    story.begin()
    story.status()
    story.now = 1010.0
    story.sandbox()
    story.image()
    story.started()
    assert story.condition("Ready").lastTransitionTime.seconds == 1010
    story.now = 1020.0
    assert story.condition("Ready").lastTransitionTime.seconds == 1010
    assert story.condition("Initialized").lastTransitionTime.seconds == 1000


def test_a_readiness_gate_holds_the_pod_back():
    built = pod()
    built.spec.readinessGates.add(conditionType="example.com/ok")
    story = Story(built)
    story.run()
    assert story.condition("Ready").reason == "ReadinessGatesNotReady"
    assert story.condition("ContainersReady").status == "True"


def test_a_pod_on_the_hosts_network_has_the_hosts_address():
    built = pod()
    built.spec.hostNetwork = True
    story = Story(built)
    story.begin()
    story.tell(events.SandboxStarted(0, "s", ""))
    assert story.status().podIP == "192.0.2.1"


def test_a_terminating_pod_is_not_ready():
    story = Story(pod())
    story.run()
    story.tell(events.PodChanged(deleted(story.built)))
    assert story.status().phase == "Running"
    assert story.condition("Ready").status == "False"
