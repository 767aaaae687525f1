"""What a cluster leaves on this machine, and how it is taken away.

`stop_pods` while containerd still runs; `remove_rules` when the proxies have ended; `purge`
last. Each step may be repeated and goes on where an earlier `down` was cut off.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from holdfast.api.errors import ApiError, Reason
from holdfast.cli.cluster import network
from holdfast.cli.cluster.plan import BRIDGE, Process
from holdfast.cli.cluster.settings import Settings
from holdfast.cli.cluster.supervisor import command

STOP_PODS_TIMEOUT_S = 60.0
CGROUPS = Path("/sys/fs/cgroup")


async def run(argv: list[str], stdin: str = "") -> tuple[int, str]:
    """Run a command to its end: exit code and everything it wrote."""
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await child.communicate(stdin.encode())
    return child.returncode or 0, output.decode(errors="replace")


async def stop_pods(settings: Settings) -> None:
    """End every container and sandbox of every node, gracefully but within a minute.

    Raises ApiError with the runtime's words when one could not be removed.
    """
    if settings.hollow:
        return
    nodes = [node for node in settings.node_names if settings.containerd_socket(node).exists()]
    await asyncio.gather(*(_stop_pods_of(settings, node) for node in nodes))


async def _stop_pods_of(settings: Settings, node: str) -> None:
    code, output = await run(
        [
            *(sys.executable, "-m", "holdfast.runtime", "remove-pods"),
            *("--socket", str(settings.containerd_socket(node))),
        ]
    )
    if code:
        raise ApiError(Reason.INTERNAL, f"{node}: its pods were not removed: {output.strip()}")


async def remove_rules(settings: Settings) -> None:
    """Take away the packet rules, routes and addresses of the proxies of this machine.

    Those in a node's namespace go with the namespace.
    """
    if settings.hollow:
        return
    node, directory = ("", "host") if settings.several else ("node-1", "nodes/node-1")
    argv = [sys.executable, "-m", "holdfast.netproxy", "--cleanup", "--name", node]
    code, output = await run([*argv, "--dir", str(settings.data_dir / directory)])
    if code:
        raise ApiError(Reason.INTERNAL, f"packet rules were not removed: {output.strip()}")


async def build_network(settings: Settings) -> None:
    """The bridge and the nodes' namespaces. Raises ApiError with the words of `ip`."""
    if not settings.several:
        return
    await run(["ip", "-force", "-batch", "-"], network.outside(settings))
    for node in settings.node_names:
        name = network.namespace(settings, node)
        await run(["ip", "-n", name, "-force", "-batch", "-"], network.inside(node))
        code, output = await run(["ip", "-n", name, "route", "get", network.GATEWAY])
        if code:
            raise ApiError(Reason.INTERNAL, f"the network of {node} was not made: {output.strip()}")


async def purge(settings: Settings) -> None:
    """Remove namespaces, links, mounts, cgroups and the data directory."""
    if settings.several:
        await run(["ip", "-force", "-batch", "-"], network.removal(settings))
    elif not settings.hollow:
        await run(["ip", "link", "delete", BRIDGE])
    for mount in reversed(_mounts_below(settings.data_dir)):
        await run(["umount", "--lazy", mount])
    for path in sorted(CGROUPS.glob("**/holdfast*"), reverse=True):
        _remove_empty(path)
    shutil.rmtree(settings.data_dir, ignore_errors=False)


def _mounts_below(directory: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].replace("\\040", " ") for line in lines]
    return [point for point in points if point.startswith(f"{directory}/")]


def _remove_empty(path: Path) -> None:
    """Remove a cgroup and those below it; one that still holds processes stays."""
    for child in sorted(path.rglob("*"), reverse=True):
        if child.is_dir():
            _rmdir(child)
    _rmdir(path)


def _rmdir(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return  # busy: it belongs to another cluster of this machine, or is gone already


def containerd_of(settings: Settings, node: str) -> list[str]:
    """The command that starts a node's containerd again, to remove pods nobody looks after."""
    directory = settings.node_dir(node) / "containerd"
    namespace = network.namespace(settings, node) if settings.several else ""
    arguments = ("containerd", "--dir", str(directory))
    return command(Process(f"containerd-{node}", "runtime", arguments, namespace))
