"""What a restarted agent makes of the things it finds."""

from __future__ import annotations

from holdfast.node.machine import adoption, events
from holdfast.node.machine.containers import fingerprint
from holdfast.runtime.interface import ANNOTATION_HASH, Container, ContainerState, Sandbox
from tests.node.machine.script import Story, deleted, pod


def found(name="main", attempt=0, state=ContainerState.RUNNING, code=0, mark=None, image="image:1"):
    spec = pod(name).spec.containers[0]
    spec.image = image
    started = 900.0 if state is not ContainerState.CREATED else 0.0
    return Container(
        id=f"{name}-{attempt}",
        sandbox_id="sandbox-0",
        name=name,
        attempt=attempt,
        state=state,
        image="image:1",
        image_ref="ref",
        created_at=899.0,
        labels={},
        annotations={ANNOTATION_HASH: mark or fingerprint(spec)},
        started_at=started,
        finished_at=990.0 if state is ContainerState.EXITED else 0.0,
        exit_code=code,
        reason="Error" if code else "Completed",
    )


def sandbox(attempt=0, ready=True):
    return Sandbox(
        f"sandbox-{attempt}", "uid-1", "web", "default", attempt, ready, 899.0, {}, "10.0.0.9"
    )


def adopted(built, sandboxes, containers):
    return Story(built, adoption.adopt(built, sandboxes, containers, 1000.0))


def test_what_runs_goes_on():
    story = adopted(pod(), [sandbox()], [found(attempt=2)])
    assert story.begin() == []
    shown = story.shown()
    assert shown.containerID == "containerd://main-2"
    assert shown.restartCount == 2
    assert shown.state.running.startedAt.seconds == 900
    assert story.status().podIP == "10.0.0.9"


def test_nothing_found_starts_from_scratch():
    story = adopted(pod(), [], [])
    assert story.begin() == ["sandbox 0", "image main"]


def test_an_exit_nobody_saw_is_made_good():
    story = adopted(pod(), [sandbox()], [found(state=ContainerState.EXITED, code=7)])
    assert story.begin() == ["image main"]
    assert story.shown().state.terminated.exitCode == 7
    assert story.image() == ["start main 1"]


def test_a_container_made_but_never_started_is_replaced():
    story = adopted(pod(), [sandbox()], [found(state=ContainerState.CREATED)])
    assert story.begin() == ["image main"]
    assert story.image() == ["start main 1"]


def test_a_dead_sandbox_is_replaced():
    story = adopted(pod(), [sandbox(ready=False)], [found(state=ContainerState.EXITED, code=1)])
    assert story.begin() == ["RemoveSandbox", "sandbox 1", "image main"]


def test_init_containers_whose_remains_are_gone_do_not_run_again():
    story = adopted(pod("main", inits=("first",)), [sandbox()], [found()])
    assert story.begin() == []
    assert story.condition("Initialized").status == "True"


def test_readiness_does_not_flap():
    built = pod()
    built.spec.containers[0].readinessProbe.handler.httpGet.path = "/"
    built.status.containerStatuses.add(
        name="main", ready=True, containerID="containerd://main-0", restartCount=0
    )
    story = adopted(built, [sandbox()], [found()])
    assert story.begin() == ["probe main Readiness"]
    assert story.shown().ready


def test_a_container_of_another_image_is_replaced():
    story = adopted(pod(), [sandbox()], [found(image="image:0")])
    assert story.begin() == ["stop main 30"]


def test_a_pod_deleted_meanwhile_is_ended():
    story = adopted(deleted(pod()), [sandbox()], [found()])
    assert story.begin() == ["stop main 30"]
    assert story.exited(code=0) == ["CleanPod"]


def test_restart_counts_survive_a_machine_that_lost_its_containers():
    built = pod()
    built.status.containerStatuses.add(name="main", restartCount=4, containerID="containerd://x")
    story = adopted(built, [], [])
    story.begin()
    story.sandbox()
    assert story.image() == ["start main 5"]


def test_late_answers_about_an_earlier_life_are_ignored():
    story = adopted(pod(), [sandbox()], [found(attempt=1)])
    story.begin()
    assert story.tell(events.ContainerExited("main", "main-0", 1, "Error", "", 1.0, 2.0)) == []
    assert story.shown().state.HasField("running")
