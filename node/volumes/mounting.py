"""Make, refresh and remove the volumes of pods on this machine.

Secrets and memory-backed emptyDirs are on tmpfs and never reach a disk. Everything of a pod is
under its own directory, except hostPath, which is only looked at. What a pod can write to is
never followed through links by us.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from holdfast.api import quantity
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.node.agent.objects import ObjectSource
from holdfast.node.volumes import files, projection
from holdfast.node.volumes.files import File, VolumeError

_SECRET_BYTES_MAX = 2 << 20

_HOST_PATH_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def paths(pod: core.Pod, directory: Path) -> dict[str, Path]:
    """Volume name → where it is on the host. directory: the pod's own."""
    found = {}
    for volume in pod.spec.volumes:
        source = volume.volumeSource
        if source.HasField("hostPath"):
            found[volume.name] = Path(source.hostPath.path)
        else:
            kind = next((field.name for field, _ in source.ListFields()), "emptyDir")
            found[volume.name] = directory / "volumes" / kind / volume.name
    return found


async def mount(pod: core.Pod, directory: Path, objects: ObjectSource) -> None:
    """Have every volume of a pod there. Raises VolumeError naming the volume."""
    where = paths(pod, directory)
    for volume in pod.spec.volumes:
        try:
            await _mount_one(pod, volume, where[volume.name], objects)
        except (VolumeError, OSError, ApiError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            message = f'MountVolume.SetUp failed for volume "{volume.name}" : {why or error}'
            raise VolumeError(message) from None


async def refresh(pod: core.Pod, directory: Path, objects: ObjectSource) -> list[str]:
    """Rewrite the ConfigMap and Secret volumes whose objects changed; the names of those.

    Raises VolumeError, ApiError, OSError; what is there stays as it is then.
    """
    changed = []
    for volume in pod.spec.volumes:
        wanted = await _wanted(pod, volume, objects)
        if wanted is None:
            continue
        path = paths(pod, directory)[volume.name]
        if await asyncio.to_thread(_project, path, wanted):
            changed.append(volume.name)
    return changed


async def _mount_one(pod: core.Pod, volume: core.Volume, path: Path, objects: ObjectSource) -> None:
    source = volume.volumeSource
    if source.HasField("hostPath"):
        await asyncio.to_thread(_check_host_path, source.hostPath)
        return
    if source.HasField("emptyDir"):
        await asyncio.to_thread(_empty_dir, path, source.emptyDir)
        return
    wanted = await _wanted(pod, volume, objects)
    if wanted is None:
        raise VolumeError("its kind of volume is not built")
    if source.HasField("secret"):
        await asyncio.to_thread(_tmpfs, path, _SECRET_BYTES_MAX)
    await asyncio.to_thread(_project, path, wanted)


async def _wanted(
    pod: core.Pod, volume: core.Volume, objects: ObjectSource
) -> Mapping[str, File] | None:
    """The files of a ConfigMap or Secret volume; None for another kind."""
    source, namespace = volume.volumeSource, pod.metadata.namespace
    if source.HasField("configMap"):
        name = source.configMap.localObjectReference.name
        maps = await objects.config_maps(namespace, [name])
        return files.of_config_map(source.configMap, maps[name])
    if source.HasField("secret"):
        name = source.secret.secretName
        secrets = await objects.secrets(namespace, [name])
        return files.of_secret(source.secret, secrets[name])
    return None


def _project(path: Path, wanted: Mapping[str, File]) -> bool:
    return projection.write(path, wanted, os.urandom(6).hex())


def _empty_dir(path: Path, source: core.EmptyDirVolumeSource) -> None:
    limit = quantity.to_int(source.sizeLimit.string) if source.HasField("sizeLimit") else 0
    if source.medium == "Memory":
        _tmpfs(path, limit)
    else:
        path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)


def _tmpfs(path: Path, size_bytes: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if path.is_mount():
        return
    options = f"size={size_bytes}" if size_bytes else "size=50%"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"{options},mode=0755", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise VolumeError(f"cannot mount tmpfs: {done.stderr.decode(errors='replace').strip()}")


def _check_host_path(source: core.HostPathVolumeSource) -> None:
    path, kind = Path(source.path), source.type
    if kind == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        kind = "Directory"
    elif kind == "FileOrCreate":
        path.touch(mode=0o644, exist_ok=True)
        kind = "File"
    if not kind:
        return
    check, words = _HOST_PATH_CHECKS[kind]
    if not path.exists() or not check(path.stat().st_mode):
        raise VolumeError(f"hostPath type check failed: {path} is not {words}")


def unmount(directory: Path) -> None:
    """Remove a pod's directory with every mount in it. Raises OSError."""
    volumes = directory / "volumes"
    if volumes.is_dir():
        for kind in volumes.iterdir():
            for path in kind.iterdir():
                if not path.is_symlink() and path.is_mount():
                    subprocess.run(["umount", str(path)], capture_output=True, check=False)
                    if path.is_mount():
                        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=True)
    if directory.exists():
        shutil.rmtree(directory)
