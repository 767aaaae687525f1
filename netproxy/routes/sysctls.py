"""The kernel's switches that forwarding needs, set and checked.

Values are those of this process's network namespace. A switch that cannot be set is said in one
sentence with the command that mends it; it is left as it is when `down` takes the rest away,
because nobody knows who else relies on it by then.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

ROOT = Path("/proc/sys")
FORWARD = "net/ipv4/ip_forward"
BRIDGE = "net/bridge/bridge-nf-call-iptables"
"""Pods on one bridge answer each other over the bridge: only with this switch does the answer
pass conntrack, which puts the service's address back."""


async def prepare() -> list[str]:
    """Set what is needed. Returns what could not be, one sentence each."""
    if not (ROOT / BRIDGE).exists():
        await _load_bridge_filter()
    return [problem for name in (FORWARD, BRIDGE) if (problem := _set(name))]


def _set(name: str) -> str:
    path, key = ROOT / name, name.replace("/", ".")
    try:
        if path.read_text().strip() != "1":
            path.write_text("1")
    except FileNotFoundError:
        return f"{key} is missing: load the kernel module br_netfilter (modprobe br_netfilter)"
    except OSError as error:
        return f"{key} cannot be set ({error.strerror}): run sysctl -w {key}=1 as root"
    return ""


async def _load_bridge_filter() -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            *("modprobe", "br_netfilter"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return  # no modprobe: the missing switch is reported
    await process.wait()
