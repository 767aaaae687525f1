"""The conformance suite on real containerd."""

from __future__ import annotations

import pytest

from holdfast.runtime.cri import CriRuntime
from holdfast.runtime.images.builtin import DEMO
from tests.runtime.conformance import Lab, RuntimeConformance

pytestmark = pytest.mark.integration


class TestCriRuntime(RuntimeConformance):
    @pytest.fixture
    async def lab(self, machine):
        runtime = CriRuntime(machine.containerd.socket)
        lab = _Lab(runtime, DEMO, str(machine.directory / "logs"), machine.cgroup_root)
        yield lab
        for sandbox in await runtime.list_sandboxes():
            await lab.remove(sandbox.id)
        await runtime.close()


class _Lab(Lab):
    def __init__(self, runtime, image, logs, cgroup_root):
        super().__init__(runtime, image, logs)
        self._cgroup_root = cgroup_root

    def pod(self, name, attempt=0):
        return super().pod(name, attempt)._replace(cgroup_parent=f"{self._cgroup_root}/{name}")
