"""What this machine is: its size, its system, its disk, read from /proc, /etc and the kernel."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from pathlib import Path

from holdfast.node.specs.resolution import ClusterDns, parse
from holdfast.node.uplink.node_object import NodeFacts, Taint
from holdfast.runtime.interface import Dns, Version

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
RESERVED_MEMORY_BYTES = 256 << 20
"""Kept from pods for the system and our own processes."""
DISK_FREE_SHARE_MIN = 0.02
DISK_FREE_BYTES_MIN = 256 << 20


def memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def capacity(max_pods: int, data: Path) -> dict[str, str]:
    """What the machine has, as quantity texts."""
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{memory_bytes() >> 10}Ki",
        "ephemeral-storage": f"{shutil.disk_usage(data).total >> 10}Ki",
        "pods": str(max_pods),
    }


def allocatable(whole: dict[str, str]) -> dict[str, str]:
    """What pods may have of a capacity in memory_bytes()'s own form."""
    left = max(0, (int(whole["memory"].removesuffix("Ki")) << 10) - RESERVED_MEMORY_BYTES)
    return {**whole, "memory": f"{left >> 10}Ki"}


def facts(
    name: str,
    address: str,
    sizes: tuple[dict[str, str], dict[str, str]],
    labels: dict[str, str],
    taints: tuple[Taint, ...],
    runtime: Version,
    agent_version: str,
) -> NodeFacts:
    """What the Node object says. sizes: capacity and allocatable."""
    uname = platform.uname()
    return NodeFacts(
        name=name,
        internal_ip=address,
        capacity=sizes[0],
        allocatable=sizes[1],
        labels=labels,
        taints=taints,
        architecture=_ARCHITECTURES.get(uname.machine, uname.machine),
        kernel_version=uname.release,
        os_image=_os_release(),
        machine_id=_line(Path("/etc/machine-id")),
        boot_id=boot_id(),
        runtime_version=f"{runtime.name}://{runtime.version}",
        agent_version=agent_version,
    )


def boot_id() -> str:
    """Another one after each boot of the machine."""
    return _line(Path("/proc/sys/kernel/random/boot_id"))


def _line(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""


def _os_release() -> str:
    for line in _line(Path("/etc/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def address() -> str:
    """The address this machine leaves by, or loopback when it has no route. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        found: str = probe.getsockname()[0]
        return found


def resolver(servers: tuple[str, ...], domain: str) -> ClusterDns:
    """How names are found; the machine's own resolv.conf without servers of its own loopback."""
    host = parse(_line(Path("/etc/resolv.conf")))
    usable = tuple(item for item in host.servers if not item.startswith("127."))
    return ClusterDns(servers, domain, Dns(usable, host.searches, host.options))


def disk_trouble(data: Path) -> str:
    """Why the disk that holds the data is too full, "" when it is not."""
    usage = shutil.disk_usage(data)
    floor = min(DISK_FREE_BYTES_MIN, int(usage.total * DISK_FREE_SHARE_MIN))
    if usage.free >= floor:
        return ""
    return f"disk of {data} is full: {usage.free >> 20} MiB of {usage.total >> 20} MiB are free"
