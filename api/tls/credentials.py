"""A credentials directory: what one machine shows to the control nodes, on disk.

    ca.pem  tls.crt  tls.key  endpoints.json

The node agent writes it (joining, renewal), netproxy on the same machine reads it. The four files
change together: each is a link through `current`, a link to the folder that holds one whole set,
and replacing that one link is the only step a reader can see. Folders are 0700, files 0600.
"""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import orjson

from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.tls import certificates, keys

AUTHORITY = "ca.pem"
CERTIFICATE = "tls.crt"
KEY = "tls.key"
ENDPOINTS = "endpoints.json"

_CURRENT = "current"


def exist(directory: Path) -> bool:
    """Whether the directory holds credentials at all (not whether they are any good)."""
    return (directory / CERTIFICATE).exists()


def load(directory: Path) -> Endpoint:
    """Read the whole set.

    Raises ApiError: NotFound naming the file that is missing, BadRequest naming the one that is
    damaged, or certificate and key that do not belong together.
    """
    whole = directory / _CURRENT
    folder = whole.resolve() if whole.exists() else directory
    texts = {name: _read(folder / name) for name in (AUTHORITY, CERTIFICATE, KEY, ENDPOINTS)}
    certificates.from_pem(texts[AUTHORITY], str(directory / AUTHORITY))
    mine = certificates.from_pem(texts[CERTIFICATE], str(directory / CERTIFICATE))
    key = keys.from_pem(texts[KEY], str(directory / KEY))
    if mine.x509.public_key() != key.public_key():
        raise ApiError(
            Reason.BAD_REQUEST,
            f"{directory / KEY} is not the key of the certificate {directory / CERTIFICATE}",
        )
    addresses = _addresses(texts[ENDPOINTS], directory / ENDPOINTS)
    return Endpoint(addresses, texts[AUTHORITY], texts[CERTIFICATE], texts[KEY])


def save(directory: Path, endpoint: Endpoint) -> None:
    """Replace the whole set in one step; it is on the disk when this returns.

    Raises OSError.
    """
    assert endpoint.certificate_pem is not None, "credentials without a certificate"
    assert endpoint.key_pem is not None, "credentials without a key"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    serial = certificates.from_pem(endpoint.certificate_pem).x509.serial_number
    endpoints = orjson.dumps({"endpoints": list(endpoint.addresses)})
    # The addresses change without the certificate, too: the set in use must not be touched.
    folder = directory / f"set-{serial:x}-{zlib.crc32(endpoints):08x}"
    if (directory / _CURRENT).resolve() == folder.resolve():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    _create(folder / AUTHORITY, endpoint.ca_pem)
    _create(folder / CERTIFICATE, endpoint.certificate_pem)
    _create(folder / KEY, endpoint.key_pem)
    _create(folder / ENDPOINTS, endpoints)
    _sync(folder)  # before anything leads to it
    _link(directory / _CURRENT, folder.name)
    for name in (AUTHORITY, CERTIFICATE, KEY, ENDPOINTS):
        if not (directory / name).is_symlink():
            _link(directory / name, f"{_CURRENT}/{name}")
    _sync(directory)
    for old in directory.glob("set-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)


def write_private(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, mode 0600 from its first byte on, and synced."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    _create(beside, data)
    beside.replace(path)
    _sync(path.parent)


def _create(path: Path, data: bytes) -> None:
    """A new file with its data on the disk; its name is there once the folder is synced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _link(path: Path, target: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ApiError(Reason.NOT_FOUND, f"{path} is missing: join the cluster again") from None
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"cannot read {path}: {error.strerror}") from None


def _addresses(text: bytes, path: Path) -> tuple[str, ...]:
    try:
        addresses = orjson.loads(text)["endpoints"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        addresses = None
    if (
        not isinstance(addresses, list)
        or not addresses
        or not all(isinstance(address, str) for address in addresses)
    ):
        raise ApiError(Reason.BAD_REQUEST, f'{path} does not hold {{"endpoints": ["host:port"]}}')
    return tuple(addresses)
