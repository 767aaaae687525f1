"""The agent's shell on the hollow runtime: what happens there becomes the pods' state."""

from __future__ import annotations

import asyncio

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.runtime.interface import LABEL_UID
from tests.node.agent.stage import IMAGE, Stage
from tests.node.machine.script import deleted
from tests.node.machine.script import pod as bare


def pod(**changes):
    built = bare(**changes)
    for container in built.spec.containers:
        container.image = IMAGE
    return built


def running(stage):
    return lambda: stage.container().state.HasField("running")


async def test_a_pod_runs_and_ends(tmp_path):
    async with Stage(tmp_path) as stage:
        stage.pods.upsert(pod())
        await stage.until(running(stage), "running")
        (container,) = stage.hollow.containers.values()
        assert container.labels.get(LABEL_UID) == "uid-1"
        assert stage.status().podIP == "10.0.0.1"
        hosts = tmp_path / "data" / "pods" / "uid-1" / "etc-hosts"
        assert "10.0.0.1\tweb\n" in hosts.read_text()
        stage.pods.upsert(deleted(pod()))
        await stage.until(lambda: not stage.hollow.sandboxes, "clean")
        stage.pods.remove("uid-1")
        await stage.until(lambda: not stage.pods.machines, "forgotten")
        assert not hosts.parent.exists()


async def test_what_is_killed_comes_back_and_its_reason_is_told(tmp_path):
    async with Stage(tmp_path) as stage:
        stage.pods.upsert(pod())
        await stage.until(running(stage), "running")
        await asyncio.sleep(0.06)
        stage.runtime.out_of_memory(stage.container().containerID.removeprefix("containerd://"))
        await stage.until(lambda: stage.container().restartCount == 1, "restarted")
        assert stage.container().lastState.terminated.reason == "OOMKilled"


async def test_a_runtime_that_goes_away_is_trouble_and_what_was_missed_is_found(tmp_path):
    async with Stage(tmp_path) as stage:
        stage.pods.upsert(pod())
        await stage.until(running(stage), "running")
        await stage.until(lambda: "" in stage.troubles, "well")
        stage.runtime.vanish(True)
        await stage.until(lambda: "is down" in stage.troubles[-1], "trouble")
        container_id = stage.container().containerID.removeprefix("containerd://")
        stage.hollow.exit(container_id, 9, stage.timers.now())
        stage.runtime.vanish(False)
        await stage.until(lambda: stage.container().restartCount == 1, "restarted")
        assert stage.container().lastState.terminated.exitCode == 9
        await stage.until(lambda: stage.troubles[-1] == "", "well again")


async def test_what_belongs_to_no_pod_is_removed(tmp_path):
    async with Stage(tmp_path) as stage:
        left = tmp_path / "data" / "pods" / "uid-9"
        left.mkdir(parents=True)
        stage.pods.upsert(pod())
        await stage.until(running(stage), "running")
        await stage.watcher.look_over()
        assert not left.exists()
        assert len(stage.hollow.sandboxes) == 1


async def test_a_missing_config_map_is_waited_for(tmp_path):
    built = pod()
    reference = built.spec.containers[0].env.add(name="A").valueFrom.configMapKeyRef
    reference.localObjectReference.name, reference.key = "cfg", "k"
    async with Stage(tmp_path) as stage:
        stage.pods.upsert(built)
        await stage.until(
            lambda: stage.container().state.waiting.reason == "CreateContainerConfigError", "told"
        )
        config_map = core.ConfigMap()
        config_map.data["k"] = "v"
        stage.objects.found["configmaps", "cfg"] = config_map
        await stage.until(running(stage), "running")


async def test_what_was_fetched_once_serves_while_no_control_node_answers(tmp_path):
    async with Stage(tmp_path) as stage:
        stage.objects.found["configmaps", "cfg"] = core.ConfigMap()
        assert (await stage.objects.config_maps("default", {"cfg"}))["cfg"] is not None
        stage.objects.found = None
        stage.objects._clock = lambda: stage.timers.now() + 100
        assert (await stage.objects.config_maps("default", {"cfg"}))["cfg"] is not None


async def test_images_that_cannot_be_had(tmp_path):
    for policy, reason in (("IfNotPresent", "ErrImagePull"), ("Never", "ErrImageNeverPull")):
        directory = tmp_path / policy
        directory.mkdir()
        built = pod()
        built.spec.containers[0].image = "localhost/none:1"
        built.spec.containers[0].imagePullPolicy = policy
        async with Stage(directory) as stage:
            stage.pods.upsert(built)
            told = lambda stage=stage: stage.container().state.waiting.reason  # noqa: E731
            await stage.until(lambda told=told: told() not in ("", "ContainerCreating"), "told")
            assert told() == reason
