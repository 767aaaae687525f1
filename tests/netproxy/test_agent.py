"""The worker: a lone change at once, a burst in one step, failures tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from google.protobuf.message import Message

from holdfast.netproxy import agent as agent_module
from holdfast.netproxy import snapshot
from holdfast.netproxy.agent import Agent
from holdfast.netproxy.config import NetproxyConfig
from holdfast.netproxy.filters import Applied, FilterError
from holdfast.netproxy.forwarding import Forwarding
from holdfast.netproxy.iptables.backend import IptablesFilter
from holdfast.netproxy.iptables.fake import FakeIptables
from holdfast.netproxy.picture import ENDPOINT_SLICES, SERVICES
from holdfast.netproxy.routes import kernel, sysctls
from holdfast.netproxy.routes.wanted import Route
from tests.netproxy.builders import endpoints, service
from tests.netproxy.waiting import until


class SlowFilter(IptablesFilter):
    """Takes some time a step; the first `failures` steps fail. steps: when each began."""

    def __init__(self, fake: FakeIptables, failures: int = 0) -> None:
        super().__init__(fake)
        self.failures = failures
        self.steps: list[float] = []
        self.busy = False

    async def apply(self, wanted: Forwarding) -> Applied:
        assert not self.busy, "two steps at a time"
        self.busy = True
        self.steps.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        self.busy = False
        if self.failures:
            self.failures -= 1
            raise FilterError("line 3 failed")
        return await super().apply(wanted)


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[Route]]:
    """Routes are recorded, switches are left alone: unit tests need no root."""
    recorded: list[frozenset[Route]] = []

    async def apply(wanted: frozenset[Route]) -> list[str]:
        recorded.append(wanted)
        return []

    async def prepare() -> list[str]:
        return []

    monkeypatch.setattr(kernel, "apply", apply)
    monkeypatch.setattr(sysctls, "prepare", prepare)
    return recorded


@asynccontextmanager
async def running(agent: Agent) -> AsyncIterator[None]:
    task = asyncio.create_task(agent.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def made(tmp_path: Path, packet_filter: IptablesFilter) -> Agent:
    """An agent that knows a service from its snapshot, without a control plane."""
    config = NetproxyConfig(
        "n1", tmp_path, tmp_path / "credentials", node_ip="192.168.7.1", dns_address=""
    )
    objects: list[tuple[str, Message]] = [
        (SERVICES, service("web", "10.96.1.1")),
        (ENDPOINT_SLICES, endpoints("web", "10.244.1.1")),
    ]
    snapshot.save(tmp_path / "netproxy.snapshot", objects)
    return Agent(config, packet_filter)


async def written(fake: FakeIptables, text: str) -> None:
    await until(lambda: text in fake.print("nat"), 2)


async def test_the_last_state_is_served_without_a_control_plane(
    tmp_path: Path, no_kernel: list[frozenset[Route]]
) -> None:
    fake = FakeIptables()
    agent = made(tmp_path, SlowFilter(fake))
    async with running(agent):
        async with asyncio.timeout(2):
            await agent.ready.wait()
        assert "10.244.1.1:8080" in fake.print("nat")
        assert no_kernel == [frozenset({Route("10.96.0.0/16", source="192.168.7.1")})]
    assert "10.244.1.1:8080" in fake.print("nat"), "stopping leaves the rules"


async def test_nothing_is_touched_before_the_whole_state_is_known(
    tmp_path: Path, no_kernel: list[frozenset[Route]]
) -> None:
    fake = FakeIptables()
    agent = made(tmp_path, SlowFilter(fake))
    (tmp_path / "netproxy.snapshot").unlink()
    async with running(agent):
        agent.picture.put(SERVICES, service("web", "10.96.1.1"))
        agent._wake()
        await asyncio.sleep(0.05)
        assert fake.transactions == []
        assert no_kernel == []


async def test_a_lone_change_is_applied_at_once_and_a_burst_together(
    tmp_path: Path, no_kernel: list[frozenset[Route]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "GAP_S", 0.1)
    fake = FakeIptables()
    slow = SlowFilter(fake)
    agent = made(tmp_path, slow)
    loop = asyncio.get_running_loop()
    async with running(agent):
        await agent.ready.wait()
        await asyncio.sleep(0.15)
        begun = loop.time()
        agent.picture.put(ENDPOINT_SLICES, endpoints("web", "10.244.1.2"))
        agent._wake()
        await written(fake, "10.244.1.2:8080")
        assert loop.time() - begun < 0.08
        steps = len(slow.steps)
        for host in range(3, 30):
            agent.picture.put(ENDPOINT_SLICES, endpoints("web", f"10.244.1.{host}"))
            agent._wake()
            await asyncio.sleep(0.001)
        await written(fake, "10.244.1.29:8080")
        assert len(slow.steps) - steps <= 2


async def test_a_failed_step_is_tried_again(
    tmp_path: Path, no_kernel: list[frozenset[Route]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "RETRY_MIN_S", 0.01)
    fake = FakeIptables()
    slow = SlowFilter(fake, failures=3)
    agent = made(tmp_path, slow)
    async with running(agent):
        async with asyncio.timeout(2):
            await agent.ready.wait()
    assert len(slow.steps) == 4


async def test_damage_is_put_right_by_the_slow_check(
    tmp_path: Path, no_kernel: list[frozenset[Route]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "CHECK_S", 0.05)
    fake = FakeIptables()
    agent = made(tmp_path, SlowFilter(fake))
    async with running(agent):
        await agent.ready.wait()
        for chains in fake.tables.values():
            for rules in chains.values():
                rules.clear()
        await written(fake, "10.244.1.1:8080")
        assert len(no_kernel) > 1


async def test_what_is_told_is_kept_on_disk(
    tmp_path: Path, no_kernel: list[frozenset[Route]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "SNAPSHOT_GAP_S", 0.01)
    agent = made(tmp_path, SlowFilter(FakeIptables()))
    async with running(agent):
        await agent.ready.wait()
        agent.picture.put(SERVICES, service("new", "10.96.1.2"))
        agent._wake()
        await until(lambda: len(snapshot.load(tmp_path / "netproxy.snapshot") or []) == 3)
