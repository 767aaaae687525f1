"""Saving a backup: from the control node's stream into a file that is whole or not there.

The bytes go into a side file (`FILE.part`, mode 0600), are synced, read once more and proven, and
only then get their name; so FILE is never a half one, nor lost when a new save over it fails. The
side file is locked: two saves to one name do not write into each other, and what a killed one left
is used by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import grpc

from holdfast.api import wire
from holdfast.api.backup.format import MAGIC
from holdfast.api.backup.reading import DamagedError, Summary, summarize
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2, cluster_pb2_grpc
from holdfast.cli.backups.figures import size
from holdfast.cli.progress import Progress

if TYPE_CHECKING:
    from holdfast.api.client import Client

MODE = 0o600  # the authority's key is inside


async def save(client: Client, path: Path) -> Summary:
    """Save a backup of the cluster as `path`; its figures.

    An older backup of that name is replaced at the end. Raises ApiError; then `path` is as before
    and nothing else is left.
    """
    check_replaceable(path)
    await client.status()  # finds a control node that answers, or says why none does
    try:
        with _side_file(path) as (file, side):
            await _receive(client, file)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            summary = summarize(file)
            side.replace(path)
        _sync(path.parent)
    except DamagedError as error:
        raise ApiError(Reason.UNAVAILABLE, f"the backup that arrived {error}") from None
    except OSError as error:
        where = error.filename or path
        raise ApiError(
            Reason.BAD_REQUEST, f"{where}: {error.strerror}: no backup was saved"
        ) from None
    return summary


def check_replaceable(path: Path) -> None:
    """Raises ApiError when something is there that is no backup: a slip of the hand must not
    cost a file."""
    if path.is_dir():
        raise ApiError(Reason.BAD_REQUEST, f"{path} is a directory: name a file")
    if not os.path.lexists(path):
        return
    try:
        with path.open("rb") as file:
            ours = path.is_file() and file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"{path}: {error.strerror}") from None
    if not ours:
        message = f"{path} exists and is not a backup: choose another name"
        raise ApiError(Reason.BAD_REQUEST, message)


async def _receive(client: Client, file: BinaryIO) -> None:
    total = 0
    async with Progress("saving") as progress:
        async for data in _pieces(client):
            file.write(data)
            total += len(data)
            progress.text(f"saving: {size(total)}")


async def _pieces(client: Client) -> AsyncIterator[bytes]:
    stub = cluster_pb2_grpc.ClusterStub(client.channel)
    call = stub.Backup(cluster_pb2.BackupRequest(), metadata=client.metadata())
    try:
        async for reply in call:
            yield reply.data
    except grpc.aio.AioRpcError as error:
        if wire.has_status(error):
            raise wire.from_rpc_error(error) from None
        message = f"the control node at {client.address} went away: no backup was saved, try again"
        raise ApiError(Reason.UNAVAILABLE, message) from None
    finally:
        call.cancel()


@contextlib.contextmanager
def _side_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """An empty locked file beside the path, removed at the end unless it got its name.

    Raises OSError, and ApiError when another save holds it.
    """
    side = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(side, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE), "r+b") as file:
        _lock(file, side)
        try:
            os.fchmod(file.fileno(), MODE)
            file.truncate()
            yield file, side
        finally:
            with contextlib.suppress(FileNotFoundError):
                side.unlink()


def _lock(file: BinaryIO, side: Path) -> None:
    """Lock it, and see that it still has its name: the one who held it may have renamed it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(file.fileno()), side.stat())
    except (BlockingIOError, FileNotFoundError):
        ours = False
    if not ours:
        raise ApiError(Reason.CONFLICT, f"another save writes {side}: wait until it has ended")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
