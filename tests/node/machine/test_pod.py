"""The pod machine from outside: what it orders, event by event."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine import events
from holdfast.node.machine.events import ProbeKind
from holdfast.node.machine.noting import NOTE
from holdfast.node.machine.state import Course
from tests.node.machine.script import Story, deleted, pod


def test_every_event_is_noted():
    assert set(NOTE) == set(get_args(events.Event))


def test_sandbox_and_image_are_prepared_side_by_side_and_the_container_waits_for_both():
    story = Story(pod())
    assert story.begin() == ["sandbox 0", "image main"]
    assert story.image() == []
    assert story.sandbox() == ["start main 0"]
    assert story.started() == []
    assert story.machine.deadline() == math.inf
    assert story.shown().ready


def test_a_container_waits_for_volumes_and_a_failed_mount_is_tried_again():
    story = Story(pod(volumes=("data",)))
    assert story.begin() == ["MountVolumes", "sandbox 0", "image main"]
    story.image()
    assert story.sandbox() == []
    assert story.tell(events.VolumesFailed("no"), news=True) == ["event FailedMount"]
    assert story.wait() == ["MountVolumes"]
    assert story.tell(events.VolumesReady()) == ["start main 0"]


def test_init_containers_run_one_after_another_before_the_others():
    story = Story(pod("main", inits=("first", "second")))
    assert story.begin() == ["sandbox 0", "image first"]
    story.sandbox()
    assert story.image("first") == ["start first 0"]
    story.started("first")
    assert story.shown("main").state.waiting.reason == "PodInitializing"
    assert story.exited("first", code=0) == ["image second"]
    assert story.image("second") == ["start second 0"]
    story.started("second")
    assert story.exited("second", code=0) == ["image main"]
    assert story.condition("Initialized").status == "True"


def test_a_failing_init_container_ends_a_pod_that_never_restarts():
    story = Story(pod("main", inits=("first",), policy="Never"))
    story.begin()
    story.sandbox()
    story.image("first")
    story.started("first")
    assert story.exited("first", code=3) == ["StopSandbox"]
    assert story.status().phase == "Failed"


def test_restarts_are_at_once_then_after_one_two_four_seconds():
    story = Story(pod())
    story.run()
    waits = []
    for attempt in range(9):
        before = story.now
        orders = story.exited(attempt=attempt)
        if "image main" not in orders:
            assert story.shown().state.waiting.reason == "CrashLoopBackOff"
            assert story.shown().restartCount == attempt
            assert story.wait() == ["image main"]
        waits.append(story.now - before)
        assert story.image() == [f"start main {attempt + 1}"]
        story.now += 1
        story.started(attempt=attempt + 1)
        assert story.shown().restartCount == attempt + 1
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_ten_minutes_of_running_forgive_earlier_crashes():
    story = Story(pod())
    story.run()
    story.exited()
    story.image()
    story.started(attempt=1)
    story.now += 700
    event = events.ContainerExited("main", "main-1", 1, "Error", "", story.now - 700, story.now)
    assert "image main" in story.tell(event)


def test_only_the_remains_of_the_last_run_are_kept():
    story = Story(pod())
    story.run()
    assert story.exited() == ["image main"]
    story.image()
    story.started(attempt=1)
    assert story.exited(attempt=1) == ["remove main-0"]


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [
        ("Never", 0, "Succeeded"),
        ("Never", 1, "Failed"),
        ("OnFailure", 0, "Succeeded"),
        ("OnFailure", 1, "Running"),
        ("Always", 0, "Running"),
    ],
)
def test_restart_policies(policy, code, phase):
    story = Story(pod(policy=policy))
    story.run()
    over = story.exited(code=code) == ["StopSandbox"]
    assert over == (phase != "Running")
    assert story.status().phase == phase


def test_a_failed_pull_backs_off_and_says_so():
    story = Story(pod())
    story.begin()
    failed = events.ImageFailed("main", "ErrImagePull", "not found")
    assert story.tell(failed, news=True) == ["event Failed", "event Failed"]
    assert story.shown().state.waiting.reason == "ErrImagePull"
    assert story.wait() == ["image main"]
    story.tell(failed)
    waiting = story.shown().state.waiting
    assert waiting.reason == "ImagePullBackOff"
    assert waiting.message == 'Back-off pulling image "image:1": ErrImagePull: not found'
    story.wait()
    story.image()
    assert story.shown().state.waiting.reason == "ContainerCreating"


def test_missing_configuration_is_shown_and_tried_again_with_the_same_attempt():
    story = Story(pod())
    story.begin()
    story.sandbox()
    story.image()
    failed = events.ContainerFailed(
        "main", 0, "CreateContainerConfigError", 'configmap "a" not found'
    )
    assert story.tell(failed) == []
    assert story.shown().state.waiting.message == 'configmap "a" not found'
    assert story.wait() == ["image main"]
    assert story.image() == ["start main 0"]
    assert story.shown().state.waiting.reason == "CreateContainerConfigError"
    story.started()
    assert story.shown().state.HasField("running")


def test_a_command_that_does_not_exist_is_a_crash():
    story = Story(pod())
    story.begin()
    story.sandbox()
    story.image()
    failed = events.ContainerFailed("main", 0, "RunContainerError", "no such file", "main-0")
    story.tell(failed)
    shown = story.shown()
    assert shown.state.waiting.reason == "RunContainerError"
    assert shown.lastState.terminated.exitCode == 128
    story.wait()
    assert story.image() == ["start main 1"]


def test_a_failed_sandbox_is_tried_again_under_another_attempt():
    story = Story(pod())
    story.begin()
    assert story.tell(events.SandboxFailed(0, "no network")) == []
    assert story.wait() == ["sandbox 1"]
    assert story.tell(events.SandboxStarted(0, "late", "10.0.0.1")) == []


def test_a_dead_sandbox_takes_its_containers_along_and_everything_begins_anew():
    story = Story(pod("main", inits=("first",)))
    story.begin()
    story.sandbox()
    story.image("first")
    story.started("first")
    story.exited("first", code=0)
    story.image()
    story.started()
    assert story.tell(events.SandboxExited("sandbox-0")) == ["stop main 0"]
    assert story.exited(code=137) == ["RemoveSandbox", "sandbox 1", "image first"]


def test_a_liveness_probe_that_fails_often_enough_restarts_the_container():
    built = pod()
    probe = built.spec.containers[0].livenessProbe
    probe.handler.tcpSocket.port.intVal = 80
    probe.periodSeconds, probe.failureThreshold = 5, 2
    story = Story(built)
    story.begin()
    story.sandbox()
    story.image()
    assert story.started() == ["probe main Liveness"]
    bad = events.ProbeFinished("main", "main-0", ProbeKind.LIVENESS, False, "refused")
    assert story.tell(bad, news=True) == ["event Unhealthy"]
    before = story.now
    assert story.wait() == ["probe main Liveness"]
    assert story.now - before == 5
    assert story.tell(bad, news=True) == ["event Unhealthy", "event Killing", "stop main 30"]
    assert story.tell(bad) == []
    assert "image main" in story.exited(code=137)


def test_readiness_decides_ready_and_is_asked_eagerly_at_first():
    built = pod()
    built.spec.containers[0].readinessProbe.handler.httpGet.path = "/"
    story = Story(built)
    story.begin()
    story.sandbox()
    story.image()
    assert story.started() == ["probe main Readiness"]
    assert not story.shown().ready
    bad = events.ProbeFinished("main", "main-0", ProbeKind.READINESS, False, "refused")
    before = story.now
    assert story.tell(bad, news=True) == []
    story.wait()
    assert story.now - before == pytest.approx(0.1)
    story.tell(events.ProbeFinished("main", "main-0", ProbeKind.READINESS, True, ""))
    assert story.shown().ready
    assert story.condition("Ready").status == "True"


def test_a_deleted_pod_stops_cleans_and_only_then_lets_go_of_its_object():
    story = Story(pod("a", "b"))
    story.run("a", "b")
    assert story.tell(events.PodChanged(deleted(story.built))) == ["stop a 30", "stop b 30"]
    assert story.condition("Ready").status == "False"
    assert story.exited("a", code=0) == []
    assert story.exited("b", code=0) == ["CleanPod"]
    assert story.tell(events.CleanFailed("busy")) == []
    assert story.wait() == ["CleanPod"]
    assert story.tell(events.PodCleaned()) == ["DeletePod"]
    assert story.tell(events.PodRemoved()) == []
    assert story.machine.course is Course.GONE


def test_a_shorter_grace_is_passed_on():
    story = Story(pod())
    story.run()
    assert story.tell(events.PodChanged(deleted(story.built))) == ["stop main 30"]
    assert story.tell(events.PodChanged(deleted(story.built, 1))) == ["stop main 1"]


def test_a_stop_that_failed_is_tried_again():
    story = Story(pod())
    story.run()
    story.tell(events.PodChanged(deleted(story.built)))
    assert story.tell(events.StopFailed("main", "main-0", "runtime is away")) == []
    assert story.wait() == ["stop main 30"]


def test_a_pod_deleted_while_it_starts_waits_for_what_is_under_way():
    story = Story(pod())
    story.begin()
    assert story.tell(events.PodChanged(deleted(story.built))) == []
    assert story.sandbox() == ["CleanPod"]


def test_a_pod_removed_from_the_cluster_ends_without_a_delete():
    story = Story(pod())
    story.run()
    assert story.tell(events.PodRemoved()) == ["stop main 2"]
    assert story.exited() == ["CleanPod"]
    assert story.tell(events.PodCleaned()) == []


def test_a_changed_image_replaces_the_container_whatever_the_policy():
    story = Story(pod(policy="Never"))
    story.run()
    changed = core.Pod()
    changed.CopyFrom(story.built)
    changed.spec.containers[0].image = "image:2"
    assert story.tell(events.PodChanged(changed)) == ["stop main 30"]
    assert story.exited(code=0) == ["image main"]


def test_a_deadline_for_the_whole_pod():
    built = pod()
    built.spec.activeDeadlineSeconds = 5
    story = Story(built)
    story.run()
    assert story.wait() == ["stop main 30"]
    assert story.exited(code=137) == ["StopSandbox"]
    assert story.status().phase == "Failed"
    assert story.status().reason == "DeadlineExceeded"


def test_a_finished_pod_is_left_alone_when_the_agent_comes_back():
    built = pod(policy="Never")
    built.status.phase = "Succeeded"
    story = Story(built)
    assert story.begin() == []
    assert not story.machine.dirty
    assert story.tell(events.PodChanged(deleted(built))) == ["CleanPod"]
