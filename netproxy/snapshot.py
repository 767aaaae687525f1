"""The last state of the cluster on disk, so that an agent started without a control plane serves.

    "holdfast netproxy 1\\n"  sha256 of the rest (32 bytes)  records
    record: length of resource (1 byte), resource, length of object (4 bytes), object

`encode` and `decode` are pure; `save` writes whole or not at all, `load` takes a damaged or
missing file for none: the control plane has the truth.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import structlog
from google.protobuf.message import DecodeError, Message

from holdfast.netproxy.picture import RESOURCES

MAGIC = b"holdfast netproxy 1\n"
DIGEST_BYTES = 32
BYTES_MAX = 64 << 20
"""A larger state is not written: some 50,000 services with their endpoints fit."""

log = structlog.get_logger()


class DamagedError(ValueError):
    """The bytes are not a whole snapshot."""


def encode(objects: Iterable[tuple[str, Message]]) -> bytes:
    """The file's content."""
    parts = []
    for resource, message in objects:
        name, data = resource.encode(), message.SerializeToString(deterministic=True)
        parts += [len(name).to_bytes(1), name, len(data).to_bytes(4), data]
    records = b"".join(parts)
    return MAGIC + sha256(records).digest() + records


def decode(content: bytes) -> list[tuple[str, Message]]:
    """The objects of a file. Raises DamagedError."""
    place = len(MAGIC) + DIGEST_BYTES
    if content[: len(MAGIC)] != MAGIC:
        raise DamagedError("it is not a snapshot of holdfast netproxy")
    if sha256(content[place:]).digest() != content[len(MAGIC) : place]:
        raise DamagedError("its checksum does not fit")
    objects = []
    while place < len(content):
        end = place + 1 + content[place]
        resource = content[place + 1 : end].decode()
        length = int.from_bytes(content[end : end + 4])
        place = end + 4 + length
        try:
            message = RESOURCES[resource]()
            message.ParseFromString(content[end + 4 : place])
        except (KeyError, DecodeError) as error:
            raise DamagedError(f"a record of {resource} cannot be read: {error}") from None
        objects.append((resource, message))
    return objects


def save(path: Path, objects: Iterable[tuple[str, Message]]) -> None:
    """Replace the file. Raises OSError. Blocks: run it in a thread."""
    content = encode(objects)
    if len(content) > BYTES_MAX:
        log.warning("snapshot is too large and not written", bytes=len(content), most=BYTES_MAX)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path) -> list[tuple[str, Message]] | None:
    """The objects, None where there is no whole snapshot."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise DamagedError("it is too large")
        return decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (DamagedError, OSError) as error:
        log.warning("snapshot is left unread", path=str(path), why=str(error))
        return None
