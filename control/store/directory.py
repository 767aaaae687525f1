"""The data directory: whose it is, who uses it, and that nobody else can read it.

`claim` takes the lock that keeps a second process out. `examine` reads the file's header without
SQLite, so a file that is not ours is refused before anything could change it. A new store is made
beside its final name and renamed, so there is no half-made one.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from holdfast.control.store import image
from holdfast.control.store.engine import FatalStoreError, StoreError

FILE = "store.db"
_LOCK = "store.lock"
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"


def claim(directory: Path) -> int:
    """Make the directory if need be and lock it; returns the descriptor to pass to `release`.

    Raises StoreError when another process has it, or it cannot be made.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"data directory {directory}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise StoreError(f"data directory {directory} is in use by process {holder}") from error
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        pass  # a full disk: the lock holds all the same, only its holder's name is missing
    return lock


def release(lock: int) -> None:
    """Let another process have the directory."""
    os.close(lock)


def examine(directory: Path) -> bool:
    """True: our store is there. False: none is. Raises FatalStoreError for a file not ours."""
    path = directory / FILE
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return _examine_empty(directory)
    except OSError as error:
        raise FatalStoreError(f"{path}: {error.strerror}") from error
    version = int.from_bytes(header[60:64], "big")
    application = int.from_bytes(header[68:72], "big")
    whole = len(header) == _HEADER_BYTES and header.startswith(_MAGIC)
    if not whole or application != image.APPLICATION_ID:
        raise FatalStoreError(f"{path} is not a Holdfast store: choose another data directory")
    if version != image.SCHEMA_VERSION:
        fitting = "newer" if version > image.SCHEMA_VERSION else "older"
        raise FatalStoreError(
            f"{path} is of version {version}, this program knows {image.SCHEMA_VERSION}: "
            f"use the {fitting} program"
        )
    return True


def _examine_empty(directory: Path) -> bool:
    for name in (FILE + "-wal", FILE + "-shm"):
        if (directory / name).exists():
            raise FatalStoreError(
                f"{directory} has {name} but no {FILE}: put the file back or restore a backup"
            )
    return False


def make(directory: Path, create: Callable[[sqlite3.Connection], None]) -> None:
    """Make a store; create: fills the empty file. Blocking: call it in a thread.

    Raises StoreError; then nothing is left that looks like a store.
    """
    path, new = directory / FILE, directory / f"{FILE}.new"
    try:
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN")
            create(connection)
            connection.execute("COMMIT")
        finally:
            connection.close()
        new.rename(path)
        _sync_directory(directory)
    except OSError as error:
        raise StoreError(f"making {path} failed: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreError(f"making {path} failed: {error}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def wal_bytes(directory: Path) -> int:
    """The bytes of the write-ahead log."""
    try:
        return (directory / f"{FILE}-wal").stat().st_size
    except OSError:
        return 0  # not made yet, or just removed


def file_bytes(directory: Path) -> int:
    """The bytes on disk: the file and its write-ahead log."""
    total = 0
    for name in (FILE, FILE + "-wal"):
        try:
            total += (directory / name).stat().st_size
        except OSError:
            continue  # not made yet, or just removed
    return total
