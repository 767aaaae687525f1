"""`python -m holdfast.control.restore`: a backup becomes the data directory of a new cluster.

Called by `holdfast backup restore`; no control node runs meanwhile. Everything is made beside its
final place, in a directory that is renamed when the backup has proven whole and all of it is on
the disk: there is no half-restored one. What a killed restore left is cleared away by the next.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click

from holdfast.api.backup.reading import DamagedError, Reader
from holdfast.control.access.ca import keep_authority
from holdfast.control.store import directory
from holdfast.control.store.backup.writing import make_store
from holdfast.control.store.commands import Key, Row
from holdfast.control.store.engine import StoreError
from holdfast.control.store.replicated.opening import Founding

CONTROL = "control"
"""Where `holdfast up` keeps a control node's data, below its own data directory."""
_BESIDE = "control.restoring"


class RestoreError(Exception):
    """Nothing was restored: one sentence that says why."""


class Restored(NamedTuple):
    """What was made, and from what."""

    objects: int
    old_id: str
    old_revision: int
    revision: int


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data-dir", type=click.Path(path_type=Path), required=True)
@click.option("--cluster-id", required=True, help="Of the new cluster.")
@click.option("--member", type=int, required=True, help="The id of its only member.")
def command(file: Path, data_dir: Path, cluster_id: str, member: int) -> None:
    """Make a new cluster of one control node from a backup."""
    try:
        done = restore(file, data_dir, Founding(cluster_id, member, (member,)))
    except (RestoreError, StoreError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    click.echo(f"restored {done.objects} objects at revision {done.old_revision} from {file}")
    click.echo(f"cluster {done.old_id} became {cluster_id}, revision {done.revision}")
    click.echo(f"start it: holdfast up --data-dir {data_dir}")


def restore(file: Path, data_dir: Path, founding: Founding) -> Restored:
    """Make `data_dir`/control from a backup file. Blocking.

    Raises RestoreError and StoreError; then nothing is left behind.
    """
    control = data_dir / CONTROL
    _check_free(control)
    try:
        with file.open("rb") as opened, _beside(data_dir) as place:
            done = _fill(place, opened, file, founding)
            _sync(place)
            _check_free(control)
            place.rename(control)
            _sync(data_dir)
    except DamagedError as error:
        raise RestoreError(f"{file} {error}") from error
    except OSError as error:
        name = error.filename or data_dir
        raise RestoreError(f"{name}: {error.strerror}: nothing was restored") from error
    return done


def _fill(place: Path, opened: BinaryIO, file: Path, founding: Founding) -> Restored:
    """Read the backup once, from its header to the proof at its end, into the new directory."""
    reader = Reader(opened)
    header = reader.header()
    if not header.authority.key_pem:
        raise RestoreError(f"{file} lacks the key of the cluster's authority")
    keep_authority(place, header.authority.certificate_pem, header.authority.key_pem)
    count, revision = make_store(place, founding, header.revision, _rows(reader))
    return Restored(count, header.cluster_id, header.revision, revision)


def _rows(reader: Reader) -> Iterator[list[Row]]:
    for frame in reader.frames():
        resource = frame.resource
        yield [
            Row(Key(resource, one.namespace, one.name), one.value, one.revision, one.created)
            for one in frame.objects
        ]


def _check_free(control: Path) -> None:
    """An empty directory is free: the rename replaces it."""
    if control.is_dir() and not any(control.iterdir()):
        return
    if control.exists():
        raise RestoreError(
            f"{control} exists already: a backup is restored into a new data directory"
        )


@contextlib.contextmanager
def _beside(data_dir: Path) -> Iterator[Path]:
    """The directory that is filled, locked; it and what was made around it go when that fails."""
    place = data_dir / _BESIDE
    new = not data_dir.exists()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = directory.claim(place)
    try:
        _clear(place, lock)
        yield place
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):
                data_dir.rmdir()  # unless something else came into it
        raise
    finally:
        directory.release(lock)


def _clear(place: Path, lock: int) -> None:
    """Remove what a killed restore left, except the lock file, which is held."""
    held = os.fstat(lock)
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif not os.path.samestat(path.lstat(), held):
            path.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    command(prog_name="holdfast backup restore")
