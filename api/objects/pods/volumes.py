"""Rules for volumes: one source each, safe paths, modes. Pure module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from holdfast.api import names

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.objects.findings import Findings

MODE_MAX = 0o777
HOST_PATH_TYPES = (
    "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice",
    "BlockDevice",
)  # fmt: skip
_MODE_RULE = "must be a number between 0 and 0777 (octal), both inclusive"


def validate(volumes: Iterable[core.Volume], path: str, found: Findings) -> frozenset[str]:
    """All volumes of a pod; returns their names, which mounts may use."""
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        found.name(f"{at}.name", volume.name, names.label(volume.name))
        if volume.name in seen:
            found.duplicate(f"{at}.name", volume.name)
        seen.add(volume.name)
        _source(volume.volumeSource, at, found)
    return frozenset(seen)


def _source(source: core.VolumeSource, path: str, found: Findings) -> None:
    kinds = [field.name for field, _ in source.ListFields()]
    if not kinds:
        found.required(path, "must specify a volume type")
        return
    for name in kinds[1:]:
        found.forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
    if kinds[0] == "hostPath":
        _host_path(source.hostPath, f"{path}.hostPath", found)
    elif kinds[0] == "configMap":
        if not source.configMap.localObjectReference.name:
            found.required(f"{path}.configMap.name")
        _projected(source.configMap, f"{path}.configMap", found)
    elif kinds[0] == "secret":
        if not source.secret.secretName:
            found.required(f"{path}.secret.secretName")
        _projected(source.secret, f"{path}.secret", found)


def _host_path(source: core.HostPathVolumeSource, path: str, found: Findings) -> None:
    if not source.path:
        found.required(f"{path}.path")
    else:
        found.rule(f"{path}.path", source.path, names.no_upward(source.path))
    if source.type not in HOST_PATH_TYPES:
        found.unsupported(f"{path}.type", source.type, HOST_PATH_TYPES[1:])


def _projected(source: Any, path: str, found: Findings) -> None:
    """What configMap and secret share: modes, and which key becomes which file."""
    if not 0 <= source.defaultMode <= MODE_MAX:
        found.invalid(f"{path}.defaultMode", source.defaultMode, _MODE_RULE)
    seen: set[str] = set()
    for index, item in enumerate(source.items):
        at = f"{path}.items[{index}]"
        if not item.key:
            found.required(f"{at}.key")
        if not item.path:
            found.required(f"{at}.path")
        else:
            found.rule(f"{at}.path", item.path, names.relative_path(item.path))
            if item.path in seen:
                found.duplicate(f"{at}.path", item.path)
        seen.add(item.path)
        if item.HasField("mode") and not 0 <= item.mode <= MODE_MAX:
            found.invalid(f"{at}.mode", item.mode, _MODE_RULE)
