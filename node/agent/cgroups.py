"""The pods' own control groups: <root>/pod<uid>, in which the runtime puts the containers'.

A container's shares count only against its siblings, so the pod's group carries the sum of its
containers' requests. Version 1 has a hierarchy a controller, version 2 one for all. A controller
that this machine lacks is left out.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from holdfast.node.specs.limits import PERIOD_US, PodLimits

MOUNT = Path("/sys/fs/cgroup")
_REMOVE_TRIES = 10
_REMOVE_AGAIN_S = 0.02


class Cgroups:
    """The groups below one root. root: absolute inside the hierarchy, "/holdfast/worker-1"."""

    def __init__(self, root: str, mount: Path = MOUNT) -> None:
        self._root = root.strip("/")
        self._mount = mount
        self.version = 2 if (mount / "cgroup.controllers").exists() else 1

    def prepare(self, uid: str, limits: PodLimits) -> None:
        """Make the group of a pod and set its limits. Raises OSError."""
        path = f"{self._root}/pod{uid}"
        if self.version == 2:
            self._prepare_v2(path, limits)
        else:
            self._prepare_v1(path, limits)

    def remove(self, uid: str) -> None:
        """Remove the group of a pod, and what the runtime left empty in it.

        The kernel keeps a group for a moment after its last process: blocks for up to 0.2 s.
        """
        for _ in range(_REMOVE_TRIES):
            if self._remove(f"{self._root}/pod{uid}"):
                return
            time.sleep(_REMOVE_AGAIN_S)

    def sweep(self, uids: set[str]) -> None:
        """Remove the groups of all pods but these."""
        for hierarchy in self._hierarchies():
            for group in (hierarchy / self._root).glob("pod*"):
                if group.name.removeprefix("pod") not in uids:
                    self._remove(f"{self._root}/{group.name}")

    def _hierarchies(self) -> list[Path]:
        if self.version == 2:
            return [self._mount]
        return [path for path in sorted(self._mount.iterdir()) if not path.is_symlink()]

    def _prepare_v1(self, path: str, limits: PodLimits) -> None:
        values = {
            ("cpu", "cpu.shares"): limits.cpu_shares,
            ("cpu", "cpu.cfs_period_us"): PERIOD_US if limits.cpu_quota_us else 0,
            ("cpu", "cpu.cfs_quota_us"): limits.cpu_quota_us,
            ("memory", "memory.limit_in_bytes"): limits.memory_limit_bytes,
        }
        for controller in ("cpu", "memory"):
            if (self._mount / controller).is_dir():
                (self._mount / controller / path).mkdir(parents=True, exist_ok=True)
        for (controller, name), value in values.items():
            file = self._mount / controller / path / name
            if value and file.exists():
                file.write_text(str(value))

    def _prepare_v2(self, path: str, limits: PodLimits) -> None:
        group = self._mount / path
        group.mkdir(parents=True, exist_ok=True)
        parent = self._mount
        for part in Path(path).parts:
            available = (parent / "cgroup.controllers").read_text().split()
            wanted = " ".join(f"+{name}" for name in ("cpu", "memory", "pids") if name in available)
            with contextlib.suppress(OSError):
                (parent / "cgroup.subtree_control").write_text(wanted)
            parent /= part
        _write(group / "cpu.weight", str(weight(limits.cpu_shares)))
        quota = str(limits.cpu_quota_us) if limits.cpu_quota_us else "max"
        _write(group / "cpu.max", f"{quota} {PERIOD_US}")
        memory = str(limits.memory_limit_bytes) if limits.memory_limit_bytes else "max"
        _write(group / "memory.max", memory)

    def _remove(self, path: str) -> bool:
        """Remove a group from every hierarchy; whether it is gone from all."""
        gone = True
        for hierarchy in self._hierarchies():
            group = hierarchy / path
            if not group.is_dir():
                continue
            below = [item for item in group.rglob("*") if item.is_dir()]
            for item in [*sorted(below, key=lambda found: -len(found.parts)), group]:
                with contextlib.suppress(OSError):
                    item.rmdir()
            gone = gone and not group.exists()
        return gone


def weight(shares: int) -> int:
    """Version 2's weight for version 1's shares (the runtimes' common formula)."""
    return 1 + (max(2, shares) - 2) * 9999 // 262142


def _write(file: Path, text: str) -> None:
    if file.exists():
        file.write_text(text)
