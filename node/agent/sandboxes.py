"""Make a pod's sandbox, and remove everything a pod left on the machine."""

from __future__ import annotations

import asyncio
import contextlib
import shutil

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.agent.tools import Owner, Tools
from holdfast.node.specs import building, limits
from holdfast.node.volumes import mounting
from holdfast.runtime.interface import Sandbox


async def run(tools: Tools, pod: core.Pod, attempt: int) -> Sandbox:
    """A running sandbox with its address. Raises RuntimeFault, OSError."""
    uid = pod.metadata.uid
    spec = building.sandbox(pod, attempt, tools.place)
    await asyncio.to_thread(_prepare, tools, pod)
    sandbox_id = await tools.runtime.run_sandbox(spec)
    tools.owners.add(sandbox_id, Owner(uid, ""))
    return await tools.runtime.sandbox_status(sandbox_id)


def _prepare(tools: Tools, pod: core.Pod) -> None:
    uid = pod.metadata.uid
    tools.place.log_directory(pod).mkdir(parents=True, exist_ok=True)
    tools.cgroups.prepare(uid, limits.of_pod(pod))
    # A new sandbox has a new address: the hosts file is written anew with its first container.
    (tools.place.pod_directory(uid) / "etc-hosts").unlink(missing_ok=True)


async def remove(tools: Tools, sandbox_id: str) -> None:
    """Stop and remove one sandbox. Raises RuntimeFault."""
    tools.owners.forget(sandbox_id)
    await tools.runtime.stop_sandbox(sandbox_id)
    await tools.runtime.remove_sandbox(sandbox_id)


async def clean(tools: Tools, pod: core.Pod) -> None:
    """Remove every sandbox and container of a pod, its volumes, logs and control group.

    Raises RuntimeFault, OSError. Nothing there is fine.
    """
    uid = pod.metadata.uid
    await clean_runtime(tools, uid)
    await mounting.unmount(tools.place.pod_directory(uid))
    with contextlib.suppress(FileNotFoundError):
        await asyncio.to_thread(shutil.rmtree, tools.place.log_directory(pod))


async def clean_runtime(tools: Tools, uid: str) -> None:
    """Remove every sandbox and container with this uid, and its control group."""
    for sandbox in await tools.runtime.list_sandboxes():
        if sandbox.uid == uid:
            await remove(tools, sandbox.id)
    tools.owners.forget_pod(uid)
    await asyncio.to_thread(tools.cgroups.remove, uid)
