"""Make a pod's sandbox, and remove everything a pod left on the machine."""

from __future__ import annotations

import asyncio
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


async def clean(tools: Tools, uid: str) -> None:
    """Remove everything of a pod: sandboxes with containers, volumes, logs, control group.

    Raises RuntimeFault, OSError. Nothing there is fine.
    """
    for sandbox in await tools.runtime.list_sandboxes():
        if sandbox.uid == uid:
            await remove(tools, sandbox.id)
    tools.owners.forget_pod(uid)
    await asyncio.to_thread(_remove_files, tools, uid)
    await asyncio.to_thread(tools.cgroups.remove, uid)


def leftovers(tools: Tools) -> set[str]:
    """The uids of pods that have a directory here."""
    directory = tools.place.data / "pods"
    return {path.name for path in directory.iterdir()} if directory.is_dir() else set()


def _remove_files(tools: Tools, uid: str) -> None:
    # Logs first: the pod's own directory is what `leftovers` finds.
    for logs in (tools.place.data / "logs").glob(f"*_{uid}"):
        shutil.rmtree(logs)
    mounting.unmount(tools.place.pod_directory(uid))
