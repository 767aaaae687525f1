"""A containerd of our own: its configuration, its command line, and when it is ready.

`up` (and a test) writes `config(...)` to a file, runs `command(...)` as a child and awaits
`wait_ready`. Root, state and socket are ours, so a containerd the user runs is never touched.
Several on one machine are kept apart by root, state, CNI directories and runc's own root.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from holdfast.runtime.cri import CriRuntime
from holdfast.runtime.interface import RuntimeFault

PAUSE_IMAGE = "localhost/holdfast-pause:1"
SOCKET_BYTES_MAX = 107  # sun_path of a Unix socket, less its closing zero
IMPORT_TIMEOUT_S = 60.0
_CAP_SYS_RESOURCE = 24
_CNI_BIN_DIRS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one containerd keeps its things. root survives a reboot; state need not."""

    root: Path
    state: Path
    socket: Path
    cni_conf_dir: Path
    cni_bin_dir: Path


@dataclass(frozen=True, slots=True)
class Abilities:
    """What this machine lets a containerd do. snapshotter: "overlayfs" or "native"."""

    snapshotter: str = "overlayfs"
    restrict_oom_score_adj: bool = False


def layout(directory: Path) -> Layout:
    """The usual layout under one directory: root/, state/, containerd.sock, net.d/."""
    return Layout(
        root=directory / "root",
        state=directory / "state",
        socket=directory / "containerd.sock",
        cni_conf_dir=directory / "net.d",
        cni_bin_dir=next((path for path in _CNI_BIN_DIRS if path.is_dir()), _CNI_BIN_DIRS[0]),
    )


def abilities(root: Path) -> Abilities:
    """What this machine can do; tries an overlay mount below root (made if missing).

    Needs root's rights to find overlayfs usable; without CAP_SYS_RESOURCE runc could not lower
    a score and would fail with "can't get final child's PID".
    """
    root.mkdir(parents=True, exist_ok=True)
    return Abilities(
        snapshotter="overlayfs" if _can_overlay(root) else "native",
        restrict_oom_score_adj=not _has_capability(_CAP_SYS_RESOURCE),
    )


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _can_overlay(root: Path) -> bool:
    with tempfile.TemporaryDirectory(dir=root, prefix="overlay-") as directory:
        base = Path(directory)
        for name in ("lower", "upper", "work", "merged"):
            (base / name).mkdir()
        options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        merged = str(base / "merged")
        mounted = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, merged],
            capture_output=True,
            check=False,
        )
        if mounted.returncode == 0:
            subprocess.run(["umount", merged], capture_output=True, check=False)
        return mounted.returncode == 0


def config(where: Layout, can: Abilities, sandbox_image: str = PAUSE_IMAGE) -> str:
    """The text of containerd's config.toml (version 2, containerd 1.6 and 1.7).

    Raises ValueError for a socket path that is too long for the kernel.
    """
    if len(str(where.socket).encode()) > SOCKET_BYTES_MAX:
        raise ValueError(
            f"the socket path {where.socket} is longer than {SOCKET_BYTES_MAX} bytes:"
            " choose a shorter data directory"
        )
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    oom = "true" if can.restrict_oom_score_adj else "false"
    return f"""version = 2
root = "{where.root}"
state = "{where.state}"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "{where.socket}"

{cri}]
  sandbox_image = "{sandbox_image}"
  restrict_oom_score_adj = {oom}
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  max_container_log_line_size = 16384

{cri}.cni]
  bin_dir = "{where.cni_bin_dir}"
  conf_dir = "{where.cni_conf_dir}"
  max_conf_num = 1

{cri}.containerd]
  snapshotter = "{can.snapshotter}"
  default_runtime_name = "runc"

{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

{cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
  Root = "{where.state}/runc"
"""


def command(config_file: Path, netns: Path | None = None) -> list[str]:
    """The command line of a containerd with this configuration.

    netns: a network namespace to run it in, by nsenter: `ip netns exec` would remount /sys and
    hide the cgroup mounts from runc.
    """
    enter = [] if netns is None else ["nsenter", f"--net={netns}", "--"]
    return [*enter, "containerd", "--config", str(config_file)]


async def wait_ready(socket: Path, timeout_s: float) -> None:
    """Return when containerd serves CRI on the socket.

    Raises TimeoutError with its last answer when it does not within timeout_s.
    """
    deadline = time.monotonic() + timeout_s
    last = "the socket is not there"
    while time.monotonic() < deadline:
        runtime = CriRuntime(socket)
        try:
            conditions = await runtime.conditions()
        except RuntimeFault as fault:
            last = fault.message
        else:
            if all(found.ok for found in conditions if found.type == "RuntimeReady"):
                return
            last = "; ".join(f"{found.type}: {found.message}" for found in conditions)
        finally:
            await runtime.close()
        await asyncio.sleep(0.05)
    raise TimeoutError(f"containerd is not ready on {socket} after {timeout_s:g} s: {last}")


async def import_image(socket: Path, archive: Path) -> None:
    """Import an OCI archive into the images CRI sees, with `ctr`.

    Raises RuntimeError with ctr's last line when it is refused.
    """
    argv = ["ctr", "--address", str(socket), "--namespace", "k8s.io", "images", "import"]
    done = await asyncio.to_thread(
        subprocess.run, [*argv, str(archive)], capture_output=True, timeout=IMPORT_TIMEOUT_S
    )
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RuntimeError(f"ctr could not import {archive.name}: {last}")
