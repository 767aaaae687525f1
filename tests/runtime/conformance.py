"""What every Runtime must do: one suite, for the fake and for the real thing.

A subclass has a fixture `lab`: a Lab with a runtime that has IMAGE.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import pytest

from holdfast.runtime.interface import (
    LABEL_UID,
    ContainerSpec,
    ContainerState,
    EventKind,
    Fault,
    Resources,
    Runtime,
    RuntimeFault,
    SandboxSpec,
)


@dataclass
class Lab:
    """runtime: under test. image: one that is there and runs until it is stopped."""

    runtime: Runtime
    image: str
    logs: str

    def pod(self, name: str, attempt: int = 0) -> SandboxSpec:
        return SandboxSpec(
            name,
            "default",
            f"uid-{name}",
            attempt,
            hostname=name,
            log_directory=f"{self.logs}/{name}",
            labels={LABEL_UID: f"uid-{name}"},
            cgroup_parent=f"/holdfast-test/{name}",
        )

    async def running(self, name: str, container: str = "main") -> tuple[str, str]:
        """A sandbox and a running container in it."""
        sandbox_id = await self.runtime.run_sandbox(self.pod(name))
        container_id = await self.container(name, sandbox_id, container)
        await self.runtime.start_container(container_id)
        return sandbox_id, container_id

    async def container(self, name: str, sandbox_id: str, container: str, attempt: int = 0) -> str:
        spec = ContainerSpec(
            container,
            attempt,
            self.image,
            log_path=f"{attempt}.log",
            labels={LABEL_UID: f"uid-{name}"},
            resources=Resources(cpu_shares=100, memory_limit_bytes=64 << 20),
        )
        return await self.runtime.create_container(sandbox_id, spec, self.pod(name))

    async def remove(self, sandbox_id: str) -> None:
        await self.runtime.stop_sandbox(sandbox_id)
        await self.runtime.remove_sandbox(sandbox_id)


class RuntimeConformance:
    """The suite. Each test leaves nothing behind."""

    async def test_it_says_who_and_how_it_is(self, lab):
        assert (await lab.runtime.version()).name
        conditions = await lab.runtime.conditions()
        assert all(found.ok for found in conditions if found.type == "RuntimeReady")

    async def test_the_life_of_a_container(self, lab):
        runtime = lab.runtime
        sandbox_id = await runtime.run_sandbox(lab.pod("life"))
        sandbox = await runtime.sandbox_status(sandbox_id)
        assert sandbox.ready
        assert sandbox.ip.count(".") == 3
        assert (sandbox.name, sandbox.uid, sandbox.attempt) == ("life", "uid-life", 0)
        container_id = await lab.container("life", sandbox_id, "main")
        assert (await runtime.container_status(container_id)).state is ContainerState.CREATED
        await runtime.start_container(container_id)
        found = await runtime.container_status(container_id)
        assert found.state is ContainerState.RUNNING
        assert found.started_at > 0
        assert [item.id for item in await runtime.list_containers()] == [container_id]
        await runtime.stop_container(container_id, 10)
        found = await runtime.container_status(container_id)
        assert found.state is ContainerState.EXITED
        assert found.finished_at >= found.started_at
        await runtime.remove_container(container_id)
        await lab.remove(sandbox_id)
        assert await runtime.list_sandboxes() == []
        assert await runtime.list_containers() == []

    async def test_events_of_a_container(self, lab):
        seen = []
        done = asyncio.Event()

        async def follow():
            async for event in lab.runtime.events():
                seen.append((event.kind, event.id))
                if event.kind is EventKind.EXITED:
                    done.set()

        task = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        sandbox_id, container_id = await lab.running("events")
        await lab.runtime.stop_container(container_id, 10)
        await asyncio.wait_for(done.wait(), 5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (EventKind.STARTED, sandbox_id) in seen
        assert seen.index((EventKind.STARTED, container_id)) < seen.index(
            (EventKind.EXITED, container_id)
        )
        await lab.remove(sandbox_id)

    async def test_stopping_a_sandbox_ends_its_containers(self, lab):
        sandbox_id, container_id = await lab.running("stop")
        await lab.runtime.stop_sandbox(sandbox_id)
        await lab.runtime.stop_sandbox(sandbox_id)
        assert not (await lab.runtime.sandbox_status(sandbox_id)).ready
        found = await lab.runtime.container_status(container_id)
        assert found.state is ContainerState.EXITED
        await lab.runtime.remove_sandbox(sandbox_id)
        await lab.runtime.remove_sandbox(sandbox_id)
        with pytest.raises(RuntimeFault) as raised:
            await lab.runtime.container_status(container_id)
        assert raised.value.fault is Fault.NOT_FOUND

    async def test_an_attempt_is_made_once(self, lab):
        sandbox_id, container_id = await lab.running("once")
        with pytest.raises(RuntimeFault, match="reserved"):
            await lab.runtime.run_sandbox(lab.pod("once"))
        with pytest.raises(RuntimeFault, match="reserved"):
            await lab.container("once", sandbox_id, "main")
        await lab.runtime.stop_container(container_id, 0)
        second = await lab.container("once", sandbox_id, "main", attempt=1)
        assert (await lab.runtime.container_status(second)).attempt == 1
        await lab.remove(sandbox_id)

    async def test_what_is_not_there(self, lab):
        runtime, nothing = lab.runtime, "0" * 64
        for call in (
            runtime.sandbox_status(nothing),
            runtime.container_status(nothing),
            runtime.start_container(nothing),
        ):
            with pytest.raises(RuntimeFault) as raised:
                await call
            assert raised.value.fault is Fault.NOT_FOUND
        await runtime.stop_container(nothing, 0)
        await runtime.remove_container(nothing)
        await runtime.stop_sandbox(nothing)
        assert await runtime.image_status("localhost/none:1") is None

    async def test_commands_inside(self, lab):
        sandbox_id, container_id = await lab.running("exec")
        result = await lab.runtime.exec_sync(container_id, ("echo", "hello"), 5)
        assert (result.exit_code, result.stdout) == (0, b"hello\n")
        assert (await lab.runtime.exec_sync(container_id, ("false",), 5)).exit_code == 1
        with pytest.raises(RuntimeFault) as raised:
            await lab.runtime.exec_sync(container_id, ("sleep", "30"), 1)
        assert raised.value.fault is Fault.TIMEOUT
        await lab.remove(sandbox_id)

    async def test_limits_change_in_place(self, lab):
        sandbox_id, container_id = await lab.running("limits")
        await lab.runtime.update_resources(container_id, Resources(memory_limit_bytes=128 << 20))
        await lab.remove(sandbox_id)

    async def test_images(self, lab):
        image = await lab.runtime.image_status(lab.image)
        assert image is not None
        assert image.id.startswith("sha256:")
        assert lab.image in [tag for item in await lab.runtime.list_images() for tag in item.tags]
        with pytest.raises(RuntimeFault):
            await lab.runtime.pull_image("localhost/none:1")
