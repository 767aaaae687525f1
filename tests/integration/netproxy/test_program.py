"""The whole program in a node's namespace: it serves without a control plane, leaves no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import dns.message
import pytest

from holdfast.api import ready
from holdfast.netproxy import snapshot
from holdfast.netproxy.picture import ENDPOINT_SLICES, NODES, SERVICES
from holdfast.netproxy.routes import kernel
from holdfast.netproxy.routes.wanted import Route
from tests.integration.netproxy.lab import NODES as ADDRESSES
from tests.integration.netproxy.lab import PODS, Lab
from tests.netproxy.builders import endpoints, node, service

pytestmark = pytest.mark.integration

SERVICE = "10.96.1.1"


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


class Program:
    """`holdfast netproxy` for node 1, with a snapshot and no control plane."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab = lab
        self._flags = ["--name", "n1", "--dir", str(directory)]
        self.process: subprocess.Popen[str] | None = None
        addresses = [address for _node, address in PODS.values()]
        snapshot.save(
            directory / "netproxy.snapshot",
            [
                (SERVICES, service("web", SERVICE, node_port=30080)),
                (ENDPOINT_SLICES, endpoints("web", *addresses)),
                *(
                    (NODES, node(name, f"10.244.{name[1:]}.0/24", address))
                    for name, address in ADDRESSES.items()
                ),
            ],
        )

    def command(self, *more: str) -> list[str]:
        enter = ["nsenter", f"--net=/run/netns/{self._lab.name('n1')}"]
        return [*enter, sys.executable, "-m", "holdfast.netproxy", *self._flags, *more]

    def start(self, *, wait: bool = True) -> None:
        """Start it; returns when it has announced that it serves, as to its supervisor."""
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            self.command(),
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[writing],
            env={**os.environ, ready.VARIABLE: str(writing)},
        )
        os.close(writing)
        try:
            if wait:
                assert os.read(reading, 1) == b"1", "it ended"
        finally:
            os.close(reading)

    def said(self, until: Iterable[str]) -> list[str]:
        assert self.process and self.process.stderr
        wanted, said = set(until), []
        for line in self.process.stderr:
            said.append(json.loads(line)["event"])
            if wanted <= set(said):
                return said
        raise AssertionError(f"it ended: {said}")

    def end(self, number: int) -> int:
        assert self.process
        self.process.send_signal(number)
        code = self.process.wait(10)
        assert self.process.stderr
        self.process.stderr.close()
        self.process = None
        return code

    def cleanup(self) -> None:
        subprocess.run(self.command("--cleanup"), check=True)


@pytest.fixture
def program(lab: Lab, tmp_path: Path) -> Iterator[Program]:
    made = Program(lab, tmp_path)
    yield made
    if made.process:
        made.end(signal.SIGKILL)


async def lookup(lab: Lab, place: str, name: str) -> dns.message.Message:
    query = dns.message.make_query(name, "A")
    with lab.socket(place, 2) as asking:
        asking.setblocking(True)
        asking.settimeout(2)
        asking.sendto(query.to_wire(), ("10.96.0.10", 53))
        return dns.message.from_wire(asking.recv(4096))


async def test_services_and_dns_go_on_without_a_control_plane(lab: Lab, program: Program) -> None:
    """I7: rules, routes and DNS from the last state known, through a kill and a clean stop."""
    lab.ip("-n", lab.name("n2"), "route", "add", "10.244.1.0/24", "via", ADDRESSES["n1"])
    lab.run("n2", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    async with AsyncExitStack() as servers:
        for pod in PODS:
            await servers.enter_async_context(await lab.serve(pod, 8080))
        program.start()
        for place in ("n1", "a"):
            reply = await lookup(lab, place, "web.default.svc.cluster.local")
            assert str(reply.answer[0][0]) == SERVICE
            said = {(await lab.ask(place, SERVICE, 80))[0] for _ in range(30)}
            assert said == set(PODS)
        assert program.end(signal.SIGKILL) == -signal.SIGKILL
        assert (await lab.ask("a", SERVICE, 80))[0] in PODS
        program.start()
        assert (await lookup(lab, "b", "web.default.svc.cluster.local")).answer
        assert program.end(signal.SIGTERM) == 0
        said = {(await lab.ask("n1", SERVICE, 80))[0] for _ in range(30)}
        assert said == set(PODS), "a clean stop leaves the rules"


async def test_cleanup_leaves_no_trace(lab: Lab, program: Program) -> None:
    def traces() -> tuple[list[str], str, str]:
        rules = lab.run("n1", "iptables-save").splitlines()
        return (
            [line for line in rules if "HOLDFAST" in line],
            lab.run("n1", "ip", "route"),
            lab.run("n1", "ip", "addr", "show", "lo"),
        )

    before = traces()
    program.cleanup()
    assert traces() == before, "nothing there is no error"
    program.start()
    assert traces()[0] != before[0]
    assert traces()[1] != before[1]
    assert "10.96.0.10" in traces()[2]
    program.end(signal.SIGTERM)
    program.cleanup()
    assert traces() == before


async def test_routes_leave_foreign_ones_alone(lab: Lab) -> None:
    first, second = ADDRESSES.values()
    place = lab.name("n1")
    lab.ip("-n", place, "route", "add", "10.244.7.0/24", "via", second)
    wanted = frozenset(
        {
            Route("10.96.0.0/16", source=first),
            Route("10.244.2.0/24", second),
            Route("10.244.7.0/24", second),
            Route("10.244.8.0/24", "172.31.0.1"),
        }
    )
    problems = await lab.inside("n1", lambda: kernel.apply(wanted))
    assert len(problems) == 2
    assert "10.244.7.0/24" in problems[0] and "another program" in problems[0]
    assert "10.244.8.0/24 via 172.31.0.1" in problems[1] and "not on a network" in problems[1]
    routes = lab.run("n1", "ip", "route")
    assert await lab.inside("n1", lambda: kernel.apply(wanted)) == problems
    assert lab.run("n1", "ip", "route") == routes
    moved = frozenset({Route("10.244.2.0/24", "10.99.0.77")})
    assert await lab.inside("n1", lambda: kernel.apply(moved)) == []
    routes = lab.run("n1", "ip", "route")
    assert "10.244.2.0/24 via 10.99.0.77" in routes
    assert "10.96.0.0/16" not in routes
    await lab.inside("n1", lambda: kernel.remove(""))
    assert lab.run("n1", "ip", "-o", "route", "show", "proto", str(kernel.PROTOCOL)) == ""
    assert "10.244.7.0/24" in lab.run("n1", "ip", "route")


def test_dns_of_a_busy_address_is_tried_again(lab: Lab, program: Program) -> None:
    with lab.socket("n1", 2) as busy:
        busy.bind(("0.0.0.0", 53))
        program.start(wait=False)
        program.said(["dns cannot listen", "rules applied"])
    begun = time.monotonic()
    program.said(["dns serves"])
    assert time.monotonic() - begun < 6
    assert program.end(signal.SIGTERM) == 0
