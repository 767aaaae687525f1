"""OCI image archives as bytes: one layer, configuration, manifest, index, all in one tar.

The same input gives the same bytes (no clock, sorted order), so an image's digest depends on its
content alone. Format: OCI image specification 1.0 (image layout, manifest, config); the index
carries `io.containerd.image.name`, which `ctr images import` takes the name from. Pure module.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_MEDIA = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, link or directory in the layer. link: a symbolic link's target; mode in octal."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    link: str = ""
    directory: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """How a container of the image runs."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    ports: Sequence[int] = ()
    architecture: str = "amd64"


def write(name: str, entries: Sequence[Entry], config: Config) -> bytes:
    """The archive of an image. name: with registry and tag, "localhost/holdfast-demo:1"."""
    layer = _layer(entries)
    config_blob = _json(_image_config(config, _digest(layer)))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": _descriptor(f"{_MEDIA}.config.v1+json", config_blob),
            "layers": [_descriptor(f"{_MEDIA}.layer.v1.tar", layer)],
        }
    )
    listed = _descriptor(f"{_MEDIA}.manifest.v1+json", manifest)
    listed["annotations"] = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    index = _json({"schemaVersion": 2, "manifests": [listed]})
    files = [
        Entry("oci-layout", _json({"imageLayoutVersion": "1.0.0"})),
        Entry("index.json", index),
    ]
    blobs = (layer, config_blob, manifest)
    files += [Entry("blobs/" + _digest(blob).replace(":", "/"), blob) for blob in blobs]
    return _tar(files)


def _image_config(config: Config, layer_digest: str) -> dict[str, Any]:
    return {
        "architecture": config.architecture,
        "os": "linux",
        "config": {
            "Cmd": list(config.command),
            "Env": [f"{key}={value}" for key, value in sorted(config.environment.items())],
            "WorkingDir": config.working_dir,
            "ExposedPorts": {f"{port}/tcp": {} for port in config.ports},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    }


def _layer(entries: Sequence[Entry]) -> bytes:
    """The layer's tar, with the parent directories the entries need."""
    wanted = {entry.path: entry for entry in entries}
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        while parent and parent not in wanted:
            wanted[parent] = Entry(parent, mode=0o755, directory=True)
            parent = parent.rpartition("/")[0]
    return _tar([wanted[path] for path in sorted(wanted)])


def _tar(entries: Sequence[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode = entry.mode
            if entry.directory:
                info.type = tarfile.DIRTYPE
            elif entry.link:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            info.size = len(entry.data)
            tar.addfile(info, io.BytesIO(entry.data))
    return buffer.getvalue()


def _json(tree: Any) -> bytes:
    return json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
