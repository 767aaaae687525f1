"""What goes wrong on a real cluster: one clear sentence each, and everything else goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cluster.machine import Machine, machine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  containers:
    - name: main
      image: {image}
      command: {command}
"""
DEMO = "localhost/holdfast-demo:1"
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    with machine("wrong") as found:
        found.holdfast("up", "--detach")
        yield found


def create(here: Machine, name: str, image: str = DEMO, command: str = "[sleep, '600']") -> None:
    text = POD.format(name=name, image=image, command=command)
    here.holdfast("create", "-f", "-", stdin=text)


def waiting(here: Machine, pod: str) -> str:
    path = "{.status.containerStatuses[0].state.waiting.reason}"
    return here.holdfast("get", "pod", pod, "-o", f"jsonpath={path}")


def until_waiting(here: Machine, pod: str, *reasons: str) -> None:
    ends = time.monotonic() + DEADLINE_S
    while (reason := waiting(here, pod)) not in reasons:
        assert time.monotonic() < ends, f"{pod} waits for {reason!r}, not for {reasons}"
        time.sleep(0.1)


def still_works(here: Machine, name: str) -> None:
    create(here, name)
    here.holdfast("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
    here.holdfast("delete", "pod", name, "--now")


def test_an_image_that_does_not_exist(here: Machine) -> None:
    create(here, "no-image", image="localhost:1/nothing:1")
    until_waiting(here, "no-image", "ErrImagePull", "ImagePullBackOff")
    assert "localhost:1/nothing:1" in here.holdfast("describe", "pod", "no-image")
    here.holdfast("delete", "pod", "no-image")
    still_works(here, "after-image")


def test_a_command_that_does_not_exist(here: Machine) -> None:
    create(here, "no-command", command="[nonsense]")
    until_waiting(here, "no-command", "RunContainerError", "CrashLoopBackOff")
    assert "nonsense" in here.holdfast("describe", "pod", "no-command")
    here.holdfast("delete", "pod", "no-command")
    still_works(here, "after-command")


def test_a_port_that_is_taken(here: Machine) -> None:
    argv = ["nsenter", f"--net=/run/netns/{here.namespace}", "python3", "-c", _LISTEN]
    elsewhere = ("--data-dir", f"{here.data_dir}2")
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as taken:
        try:
            assert taken.stdout is not None
            assert taken.stdout.readline() == b"ready\n"
            said = here.refused("up", "--detach", *elsewhere, "--port", "7444")
        finally:
            taken.kill()
            here.holdfast("down", "--purge", *elsewhere)
    assert "7444" in said
    assert "taken" in said
    still_works(here, "after-port")


_LISTEN = """
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 7444)); s.listen(); print("ready", flush=True)
time.sleep(600)
"""


def test_a_certificate_of_another_cluster(here: Machine, tmp_path: Path) -> None:
    with machine("other") as other:
        other.holdfast("up", "--detach", "--runtime", "hollow")
        foreign = tmp_path / "foreign.kubeconfig"
        foreign.write_text((other.data_dir / "admin.kubeconfig").read_text())
        said = here.refused("get", "pods", "--kubeconfig", str(foreign))
    assert "another cluster" in said


def test_containerd_that_goes_away_mid_work(here: Machine) -> None:
    create(here, "steady")
    here.holdfast("wait", "--for=condition=Ready", "pod/steady", "--timeout=30s")
    (pid,) = here.pids("containerd")
    os.kill(pid, signal.SIGKILL)
    create(here, "during")
    here.holdfast("wait", "--for=condition=Ready", "pod/during", "--timeout=60s")
    path = "{.status.containerStatuses[0].restartCount}"
    assert here.holdfast("get", "pod", "steady", "-o", f"jsonpath={path}") == "0"
    here.holdfast("delete", "pod", "steady", "during", "--now")


def test_a_foreign_and_a_corrupt_data_directory() -> None:
    with machine("broken") as here:
        here.holdfast("up", "--detach", "--runtime", "hollow")
        here.holdfast("down")
        database = here.data_dir / "control" / "store.db"
        for path in database.parent.glob("store.db*"):
            if path.suffix != ".db":
                path.unlink()
        database.write_bytes(b"this is no database" * 100)
        said = here.refused("up", "--detach")
        assert "store.db" in said
        assert database.read_bytes().startswith(b"this is no database")


def test_up_needs_room_for_its_socket(here: Machine) -> None:
    said = here.refused("up", "--detach", "--data-dir", "/tmp/" + "x" * 100)
    assert "--data-dir" in said
