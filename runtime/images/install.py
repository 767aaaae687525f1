"""Build the images that ship with Holdfast and import them into a containerd.

Needs busybox-static (/bin/busybox) on the machine; no registry is asked for anything.
"""

from __future__ import annotations

import asyncio
import platform
import struct
import subprocess
import tempfile
from pathlib import Path

from holdfast.runtime import containerd
from holdfast.runtime.cri import CriRuntime
from holdfast.runtime.images import builtin

BUSYBOX = Path("/bin/busybox")
_PT_INTERP = 3
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def build() -> dict[str, bytes]:
    """The archives by image name.

    Raises FileNotFoundError when there is no busybox, ValueError when it is not a static one.
    """
    if not BUSYBOX.exists():
        raise FileNotFoundError(f"{BUSYBOX} is missing: install the package busybox-static")
    program = BUSYBOX.read_bytes()
    if not is_static(program):
        raise ValueError(f"{BUSYBOX} is not static: install the package busybox-static")
    listed = subprocess.run([str(BUSYBOX), "--list"], capture_output=True, check=True)
    applets = listed.stdout.decode("ascii").split()
    machine = platform.machine()
    architecture = _ARCHITECTURES.get(machine, machine)
    return {
        builtin.PAUSE: builtin.pause(program, architecture),
        builtin.DEMO: builtin.demo(program, applets, architecture),
    }


def is_static(program: bytes) -> bool:
    """Whether a 64-bit little-endian ELF program asks for no interpreter (has no PT_INTERP)."""
    if program[:6] != b"\x7fELF\x02\x01":
        return False
    offset = int.from_bytes(program[32:40], "little")
    size, count = struct.unpack_from("<HH", program, 54)
    headers = (struct.unpack_from("<I", program, offset + i * size)[0] for i in range(count))
    return _PT_INTERP not in headers


async def ensure(socket: Path) -> list[str]:
    """Import those images of ours that the containerd on the socket lacks; returns their names."""
    runtime = CriRuntime(socket)
    try:
        missing = [
            name
            for name in (builtin.PAUSE, builtin.DEMO)
            if await runtime.image_status(name) is None
        ]
    finally:
        await runtime.close()
    if not missing:
        return []
    archives = await asyncio.to_thread(build)
    with tempfile.TemporaryDirectory(prefix="holdfast-images-") as directory:
        for number, name in enumerate(missing):
            archive = Path(directory) / f"{number}.tar"
            await asyncio.to_thread(archive.write_bytes, archives[name])
            await containerd.import_image(socket, archive)
    return missing
