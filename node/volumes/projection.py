"""Put a volume's files on disk so that a reader sees all of one version or all of the next.

As the kubelet does it: the files are in a directory of their own, `..data` is a link to it, and
each name in the volume is a link through `..data`. Renaming `..data` is the one step that counts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from holdfast.node.volumes.files import File

_DATA = "..data"


def write(directory: Path, files: Mapping[str, File], version: str) -> bool:
    """Make the directory hold exactly these files; returns whether anything changed.

    version: a name for this content, unique in the directory. Raises OSError.
    """
    if _current(directory) == dict(files):
        return False
    directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / f"..{version}"
    shutil.rmtree(fresh, ignore_errors=True)
    for path, file in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        target.chmod(file.mode)
    fresh.mkdir(exist_ok=True)
    _link(directory / _DATA, fresh.name)
    tops = {path.partition("/")[0] for path in files}
    for top in tops:
        if not (directory / top).is_symlink():
            _link(directory / top, f"{_DATA}/{top}")
    for entry in directory.iterdir():
        if entry.name in tops or entry.name in (_DATA, fresh.name):
            continue
        if entry.is_symlink():
            entry.unlink()
        else:
            shutil.rmtree(entry)
    return True


def _link(path: Path, target: str) -> None:
    beside = path.with_name(f"..{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)


def _current(directory: Path) -> dict[str, File] | None:
    """What the volume holds; None when it was never written."""
    data = directory / _DATA
    if not data.exists():
        return None
    found = {}
    for parent, _, names in os.walk(data.resolve()):
        for name in names:
            path = Path(parent) / name
            relative = str(path.relative_to(data.resolve()))
            found[relative] = File(path.read_bytes(), path.stat().st_mode & 0o7777)
    return found
