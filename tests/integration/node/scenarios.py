"""What is tried on a real node: control node, agent and containerd, all in one network namespace.

Run inside the namespace as a program (`python -m tests.integration.node.scenarios NAME DIR`),
because gRPC's own threads cannot be moved into one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.rpc.v1 import sessions_pb2, sessions_pb2_grpc
from holdfast.runtime import containerd
from tests.integration.node.world import IMAGE, World, container, first, pod, ready, until

SLEEP = "trap 'exit 0' TERM; while :; do sleep 1 & wait; done"


async def life(world: World) -> None:
    """A pod with everything, from its creation until nothing of it is left."""
    for tree in (
        {"kind": "ConfigMap", "metadata": {"name": "cfg"}, "data": {"greeting": "hello"}},
        {"kind": "Secret", "metadata": {"name": "sec"}, "data": {"password": "aHVudGVyMg=="}},
    ):
        tree["metadata"]["namespace"] = "default"  # type: ignore[index]
        await world.create({"apiVersion": "v1", **tree})
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "cfg", "mountPath": "/cfg"},
        {"name": "sec", "mountPath": "/sec", "readOnly": True},
        {"name": "mem", "mountPath": "/mem"},
    ]
    script = (
        "echo $BOTH $password; cat /data/x /cfg/greeting; grep -c tmpfs /proc/mounts; hostname;"
        f"grep nameserver /etc/resolv.conf; {SLEEP}"
    )
    env = [
        {
            "name": "GREETING",
            "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "greeting"}},
        },
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "BOTH", "value": "$(GREETING)-$(IP)"},
    ]
    main = container(
        script=script,
        env=env,
        envFrom=[{"secretRef": {"name": "sec"}}],
        volumeMounts=mounts,
        resources={"requests": {"cpu": "100m"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
    )
    web = container(
        "web",
        readinessProbe={"httpGet": {"path": "/", "port": 8080}},
        livenessProbe={"exec": {"command": ["true"]}, "periodSeconds": 1},
    )
    init = container("init", "echo from init > /data/x", volumeMounts=mounts[:1])
    volumes = [
        {"name": "data", "emptyDir": {}},
        {"name": "mem", "emptyDir": {"medium": "Memory"}},
        {"name": "cfg", "configMap": {"name": "cfg"}},
        {"name": "sec", "secret": {"secretName": "sec"}},
    ]
    await world.create(pod("full", main, web, initContainers=[init], volumes=volumes))
    found = await world.when("full", ready, "ready")
    text = world.log(found)
    for wanted in (
        f"hello-{found.status.podIP} hunter2",
        "from init",
        "full",
        "nameserver 10.96.0.10",
    ):
        assert wanted in text, text
    shares = world.cpu_shares(found)
    assert shares in ("102", ""), shares
    listed = await world.client.list("events", "default")
    reasons = {event.reason for event in listed.objects}
    assert "Started" in reasons, reasons
    await world.client.delete("pods", "full", "default")
    await world.gone("full")
    left = world.left(found)
    assert not left, left


async def crashes(world: World) -> None:
    """Killed containers are back at once; what crashes again waits; memory is told apart."""
    await world.create(pod("killed", container()))
    await world.create(pod("crashing", container(script="exit 7")))
    hungry = "x=$(head -c 90000000 /dev/zero | tr '\\000' a); echo ${#x}"
    limits = {"limits": {"memory": "16Mi"}}
    await world.create(
        pod("hungry", container(script=hungry, resources=limits), restartPolicy="Never")
    )
    before = await world.when("killed", ready, "ready")
    runtime_id = first(before).containerID.removeprefix("containerd://")
    os.kill(_pid(world.socket, runtime_id), signal.SIGKILL)
    began = time.monotonic()
    after = await world.when(
        "killed", lambda p: ready(p) and first(p).restartCount == 1, "ready again"
    )
    assert time.monotonic() - began < 5
    ended = first(after).lastState.terminated
    assert (ended.exitCode, ended.reason) == (137, "Error")
    found = await world.when(
        "crashing", lambda p: first(p).restartCount >= 2 and _waits(p), "backing off"
    )
    assert first(found).lastState.terminated.exitCode == 7
    found = await world.when("hungry", lambda p: p.status.phase == "Failed", "failed")
    assert first(found).state.terminated.reason == "OOMKilled", found


def _waits(found: core.Pod) -> bool:
    return first(found).state.waiting.reason == "CrashLoopBackOff"


def _pid(socket: Path, container_id: str) -> int:
    argv = ["ctr", "-a", str(socket), "-n", "k8s.io", "task", "ls"]
    for line in subprocess.run(argv, capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if words[0] == container_id:
            return int(words[1])
    raise AssertionError(f"{container_id} has no task")


async def adoption(world: World) -> None:
    """An agent killed by SIGKILL and started again: the same containers, a right status."""
    await world.create(pod("stays", container()))
    await world.create(pod("ends", container(script="sleep 2; exit 3"), restartPolicy="Never"))
    before = await world.when("stays", ready, "ready")
    await world.when("ends", lambda p: p.status.phase == "Running", "running")
    agent = world.processes["agent"]
    agent.kill()
    agent.wait()
    # Also what ended while nobody looked is told rightly.
    await asyncio.sleep(0.5)
    world.start_agent()
    after = await world.when("ends", lambda p: p.status.phase == "Failed", "failed")
    assert first(after).state.terminated.exitCode == 3
    found = await world.when("stays", ready, "ready")
    assert first(found).containerID == first(before).containerID
    assert first(found).restartCount == 0
    assert found.metadata.uid == before.metadata.uid


async def mistakes(world: World) -> None:
    """What cannot work says why, and works once the reason is gone."""
    reference = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "k"}}}
    volume = {"name": "v", "configMap": {"name": "late"}}
    mount = {"name": "v", "mountPath": "/v"}
    await world.create(pod("image", {"name": "main", "image": "localhost/nothing:1"}))
    never = {"name": "main", "image": "localhost/nothing:1", "imagePullPolicy": "Never"}
    await world.create(pod("never", never))
    await world.create(pod("command", {"name": "main", "image": IMAGE, "command": ["/none"]}))
    await world.create(pod("key", container(script=SLEEP, env=[reference])))
    await world.create(
        pod("volume", container(script=SLEEP, volumeMounts=[mount]), volumes=[volume])
    )

    def waiting(reason: str) -> Callable[[core.Pod], bool]:
        return lambda p: (
            bool(p.status.containerStatuses) and (first(p).state.waiting.reason == reason)
        )

    found = await world.when("image", waiting("ErrImagePull"), "refused its image")
    assert "localhost/nothing:1" in first(found).state.waiting.message
    await world.when("never", waiting("ErrImageNeverPull"), "refused its image")
    found = await world.when("command", waiting("RunContainerError"), "refused its command")
    assert "/none" in first(found).state.waiting.message
    found = await world.when("key", waiting("CreateContainerConfigError"), "missing its key")
    assert first(found).state.waiting.message == 'configmap "late" not found'
    late = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}}
    await world.create({**late, "data": {"k": "v"}})
    await world.when("key", ready, "ready")
    await world.when("volume", ready, "ready")
    listed = await world.client.list("events", "default")
    told = {event.reason: event.message for event in listed.objects}
    assert 'configmap "late" not found' in told["FailedMount"], told


async def away(world: World) -> None:
    """containerd goes away: the node says so, containers run on, and it recovers."""
    await world.create(pod("stays", container()))
    before = await world.when("stays", ready, "ready")
    os.kill(world.containerd_pid(), signal.SIGKILL)
    await until(lambda: world.node_condition("False"), "the node to be not ready")
    node = await world.client.get("nodes", "node-1")
    told = next(c.message for c in node.status.conditions if c.type == "Ready")
    assert "container runtime is down" in told, told
    config = world.directory / "containerd" / "config.toml"
    world.spawn("containerd", *containerd.command(config))
    await until(lambda: world.node_condition("True"), "the node to be ready")
    found = await world.when("stays", ready, "ready")
    assert first(found).containerID == first(before).containerID
    await world.client.delete("pods", "stays", "default")
    await world.gone("stays")


async def streams(world: World) -> None:
    """Logs and exec over streams the agent dials back."""
    script = f"echo one; echo two >&2; sleep 1; echo three; {SLEEP}"
    await world.create(pod("talks", container(script=script)))
    await world.when("talks", ready, "ready")
    stub: Any = sessions_pb2_grpc.PodsStub(world.client.channel)

    async def logs(**options: Any) -> AsyncIterator[bytes]:
        request = sessions_pb2.LogsRequest(namespace="default", pod="talks", **options)
        async for frame in stub.Logs(request):
            assert not frame.error, frame
            yield frame.data

    text = b""
    async with asyncio.timeout(10):
        async for piece in logs(follow=True):
            text += piece
            if b"three" in text:
                break
    # Two pipes: what was written to standard error may be logged before or after.
    assert sorted(text.splitlines()) == [b"one", b"three", b"two"]
    assert b"".join([piece async for piece in logs(tail_lines=1)]) == b"three\n"

    async def execute(command: list[str], *, tty: bool = False, typed: bytes = b"") -> Any:
        request = sessions_pb2.ExecRequest(
            namespace="default", pod="talks", command=command, stdin=bool(typed), tty=tty
        )
        call = stub.Exec()
        await call.write(sessions_pb2.ExecMessage(request=request))
        size = sessions_pb2.TerminalSize(columns=77, rows=33)
        if tty:
            resize = sessions_pb2.Frame(resize=size)
            await call.write(sessions_pb2.ExecMessage(frame=resize))
        if typed:
            frame = sessions_pb2.Frame(channel=sessions_pb2.STDIN, data=typed)
            await call.write(sessions_pb2.ExecMessage(frame=frame))
        output, code = b"", None
        async for frame in call:
            output += frame.data
            if frame.HasField("exit_code"):
                code = frame.exit_code
        return output, code

    assert await execute(["sh", "-c", "echo hi; exit 5"]) == (b"hi\n", 5)
    output, code = await execute(["sh", "-c", "read x; echo got $x"], typed=b"it\n")
    assert (output, code) == (b"got it\n", 0)
    output, code = await execute(["sh"], tty=True, typed=b"sleep 0.3; stty size; exit 4\n")
    assert code == 4
    assert b"33 77" in output, output


SCENARIOS = {found.__name__: found for found in (life, crashes, adoption, mistakes, away, streams)}


async def main(name: str, directory: Path) -> None:
    world = World(directory)
    try:
        async with asyncio.timeout(100):
            await world.start()
            await SCENARIOS[name](world)
    finally:
        with contextlib.suppress(AttributeError):
            await world.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
