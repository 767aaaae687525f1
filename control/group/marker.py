"""What a data directory says of a control node whose state is on an etcd: the file `store.json`.

Such a directory holds the cluster's authority and this file, no store. One with a store of its own
has no such file; where a cluster was moved to an etcd, the store that was left lies beside it. So
neither engine starts on what is the other's: a cluster that goes on from an old state would take
new pods for strangers.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson

from holdfast.api.tls.credentials import write_private
from holdfast.control.store import directory
from holdfast.control.store.engine import StoreError

FILE = "store.json"


class Marker(NamedTuple):
    """A control node on an etcd. cluster_id: "" until its first start has succeeded; member: its
    id, 0 = not drawn yet; name: what it was called."""

    cluster_id: str
    member: int = 0
    name: str = ""


def read(data_dir: Path) -> Marker | None:
    """What the directory says, None where it says nothing. Raises StoreError."""
    path = data_dir / FILE
    try:
        tree = orjson.loads(path.read_bytes())
        return Marker(str(tree["cluster_id"]), int(tree["member"]), str(tree["name"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from None


def write(data_dir: Path, marker: Marker) -> None:
    """From now on the directory is of a control node on an etcd. Raises OSError."""
    write_private(data_dir / FILE, orjson.dumps({"store": "etcd", **marker._asdict()}))


def remove(data_dir: Path) -> None:
    """From now on it is of one with a store of its own. Raises OSError."""
    (data_dir / FILE).unlink(missing_ok=True)


def check_own_store(data_dir: Path) -> None:
    """Raises StoreError when the control node's state is on an etcd."""
    found = read(data_dir)
    if found and found.cluster_id:
        raise StoreError(
            f"{data_dir} is of a control node whose state is on an etcd: start it with --store "
            "etcd://…, or move the cluster back with `holdfast store migrate`"
        )
    if found:
        remove(data_dir)


def on_etcd(data_dir: Path) -> Marker | None:
    """What the directory says. Raises StoreError when it has a store of its own."""
    found = read(data_dir)
    if (found is None or not found.cluster_id) and directory.examine(data_dir):
        raise StoreError(
            f"{data_dir} holds a store of its own: move it with `holdfast store migrate --from "
            f"{data_dir} --to etcd://…`, or choose another --data-dir"
        )
    return found
