"""What files a ConfigMap or Secret volume has. Pure module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from holdfast.api.core.v1 import core_pb2 as core

DEFAULT_MODE = 0o644


class VolumeError(Exception):
    """A volume cannot be had. Its text is the FailedMount event's message."""


class File(NamedTuple):
    """One file: content and mode bits."""

    data: bytes
    mode: int


def of_config_map(
    source: core.ConfigMapVolumeSource, found: core.ConfigMap | None
) -> dict[str, File]:
    """Relative path → file. Raises VolumeError when object or key is missing."""
    name = source.localObjectReference.name
    if found is None:
        if source.optional:
            return {}
        raise VolumeError(f'configmap "{name}" not found')
    data = {key: text.encode() for key, text in found.data.items()}
    data.update(found.binaryData.items())
    mode = source.defaultMode if source.HasField("defaultMode") else DEFAULT_MODE
    return _chosen(data, source.items, mode, source.optional, f'configmap "{name}"')


def of_secret(source: core.SecretVolumeSource, found: core.Secret | None) -> dict[str, File]:
    """Relative path → file. Raises VolumeError when object or key is missing."""
    if found is None:
        if source.optional:
            return {}
        raise VolumeError(f'secret "{source.secretName}" not found')
    mode = source.defaultMode if source.HasField("defaultMode") else DEFAULT_MODE
    what = f'secret "{source.secretName}"'
    return _chosen(dict(found.data.items()), source.items, mode, source.optional, what)


def _chosen(
    data: Mapping[str, bytes],
    items: Iterable[core.KeyToPath],
    mode: int,
    optional: bool,
    what: str,
) -> dict[str, File]:
    wanted = list(items)
    if not wanted:
        return {key: File(value, mode) for key, value in data.items()}
    files = {}
    for item in wanted:
        if item.key not in data:
            if optional:
                continue
            raise VolumeError(f"{what} has no key {item.key}")
        parts = item.path.split("/")
        if not item.path or item.path.startswith("/") or ".." in parts:
            raise VolumeError(f'{what}: the path "{item.path}" leads out of the volume')
        own = item.mode if item.HasField("mode") else mode
        files[item.path] = File(data[item.key], own)
    return files
