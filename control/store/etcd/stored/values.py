"""The bytes under the keys of `layout`.

Whatever is not as this version writes it raises ValueError with the rest of a sentence ("is …"):
somebody else wrote it, or a newer program, and the engine must not go on. Integers little-endian.
Pure module.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from holdfast.control.store import records
from holdfast.control.store.commands import Outcome, Result

FORMAT = 1

_OBJECT = struct.Struct("<BBqq")
_HEAD = struct.Struct("<BqqqqH")
_RESULTS = struct.Struct("<BqH")
_RESULT = struct.Struct("<HI")

OBJECT_HEAD_BYTES = _OBJECT.size


class Object(NamedTuple):
    """One object's value. sub: its place in its transaction. created, revision: 0 = that of this
    very write; revision is given only for one that was moved here from another engine."""

    sub: int
    created: int
    revision: int
    value: bytes


class Head(NamedTuple):
    """The newest transaction: the number-th of the store, made in a term.

    before: the store's revision before it; checksum: of all objects before it. counts: the number
    of changes of each of its commits that made any, in order.
    """

    term: int
    number: int
    before: int
    checksum: int
    counts: tuple[int, ...]


class Cluster(NamedTuple):
    """Who a store is. moving: its objects are being moved here and are not all there."""

    cluster_id: str
    offset: int = 0
    moving: bool = False


class Leader(NamedTuple):
    """Who leads, as the others tell clients."""

    name: str
    endpoints: tuple[str, ...]


class Control(NamedTuple):
    """A control node. id: drawn once for its data directory."""

    id: int
    name: str
    endpoints: tuple[str, ...]


class Controls(NamedTuple):
    """All control nodes, by name. authority: what tells the one that they share from others, ""
    while there is none of them."""

    authority: str = ""
    known: tuple[Control, ...] = ()


Results = Sequence[tuple[bytes, Result]]
"""Commit ids with their results. A revision below 0 stands for the change -1 - revision of the
transaction: its revision is known only when etcd has made it."""


def own(sub: int) -> int:
    """The stand-in for the revision of a transaction's own change."""
    return -1 - sub


def settled(result: Result, revision_of: Callable[[int], int]) -> Result:
    """A result with its stand-ins replaced. revision_of: from the place of a change."""

    def real(revision: int) -> int:
        return revision if revision >= 0 else revision_of(-1 - revision)

    outcomes = tuple(
        Outcome(real(revision), refusal, current) for revision, refusal, current in result.outcomes
    )
    return Result(outcomes, real(result.revision))


def encode_object(found: Object) -> bytes:
    """The stored bytes of an object."""
    return _OBJECT.pack(FORMAT, found.sub, found.created, found.revision) + found.value


def decode_object(raw: bytes) -> Object:
    """What `encode_object` wrote. Raises ValueError."""
    if len(raw) < _OBJECT.size or raw[0] != FORMAT:
        raise ValueError("is not an object as this program writes them")
    _, sub, created, revision = _OBJECT.unpack_from(raw)
    return Object(sub, created, revision, raw[_OBJECT.size :])


def encode_head(head: Head) -> bytes:
    """The stored bytes of a head."""
    fields = (FORMAT, head.term, head.number, head.before, head.checksum, len(head.counts))
    return _HEAD.pack(*fields) + bytes(head.counts)


def decode_head(raw: bytes) -> Head:
    """What `encode_head` wrote. Raises ValueError."""
    if len(raw) < _HEAD.size or raw[0] != FORMAT:
        raise ValueError("is not a head as this program writes it")
    _, term, number, before, checksum, count = _HEAD.unpack_from(raw)
    counts = raw[_HEAD.size :]
    if len(counts) != count:
        raise ValueError("is malformed")
    return Head(term, number, before, checksum, tuple(counts))


def encode_results(number: int, results: Results) -> bytes:
    """The stored bytes of the results of the transaction of this number."""
    parts = [_RESULTS.pack(FORMAT, number, len(results))]
    for commit_id, result in results:
        data = records.encode_result(result)
        parts += (_RESULT.pack(len(commit_id), len(data)), commit_id, data)
    return b"".join(parts)


def decode_results(raw: bytes) -> tuple[int, Results]:
    """The number and results that `encode_results` wrote. Raises ValueError."""
    try:
        version, number, count = _RESULTS.unpack_from(raw)
        if version != FORMAT:
            raise ValueError(f"is of version {version}, this program knows {FORMAT}")
        at, found = _RESULTS.size, []
        for _ in range(count):
            id_bytes, data_bytes = _RESULT.unpack_from(raw, at)
            middle = at + _RESULT.size + id_bytes
            end = middle + data_bytes
            found.append((raw[middle - id_bytes : middle], records.decode_result(raw[middle:end])))
            at = end
    except (struct.error, records.RecordError) as error:
        raise ValueError("is malformed") from error
    return number, found


def encode_cluster(cluster: Cluster) -> bytes:
    """The stored bytes of a store's identity."""
    return json.dumps({"format": FORMAT, **cluster._asdict()}).encode()


def decode_cluster(raw: bytes) -> Cluster:
    """What `encode_cluster` wrote. Raises ValueError."""
    tree = _tree(raw)
    version = tree.pop("format", None)
    if version != FORMAT:
        raise ValueError(f"is of version {version}, this program knows {FORMAT}")
    cluster_id, offset, moving = (tree.get(name) for name in Cluster._fields)
    if not (isinstance(cluster_id, str) and isinstance(offset, int) and isinstance(moving, bool)):
        raise ValueError("is malformed")
    return Cluster(cluster_id, offset, moving)


def encode_leader(leader: Leader) -> bytes:
    """The stored bytes of a leader."""
    return json.dumps(leader._asdict()).encode()


def decode_leader(raw: bytes) -> Leader:
    """What `encode_leader` wrote. Raises ValueError."""
    tree = _tree(raw)
    name, endpoints = tree.get("name"), tree.get("endpoints")
    if not (isinstance(name, str) and isinstance(endpoints, list)):
        raise ValueError("is malformed")
    return Leader(name, tuple(map(str, endpoints)))


def encode_controls(controls: Controls) -> bytes:
    """The stored bytes of all control nodes."""
    known = [control._asdict() for control in controls.known]
    return json.dumps({"format": FORMAT, "authority": controls.authority, "known": known}).encode()


def decode_controls(raw: bytes) -> Controls:
    """What `encode_controls` wrote. Raises ValueError."""
    tree = _tree(raw)
    version, authority, known = (tree.get(name) for name in ("format", "authority", "known"))
    if version != FORMAT:
        raise ValueError(f"is of version {version}, this program knows {FORMAT}")
    if not (isinstance(authority, str) and isinstance(known, list)):
        raise ValueError("is malformed")
    return Controls(authority, tuple(map(_control, known)))


def _control(tree: object) -> Control:
    if not isinstance(tree, dict):
        raise ValueError("is malformed")
    number, name, endpoints = (tree.get(name) for name in Control._fields)
    if not (isinstance(number, int) and isinstance(name, str) and isinstance(endpoints, list)):
        raise ValueError("is malformed")
    return Control(number, name, tuple(map(str, endpoints)))


def encode_floor(floor: int) -> bytes:
    """The stored bytes of the history floor."""
    return b"%d" % floor


def decode_floor(raw: bytes) -> int:
    """What `encode_floor` wrote. Raises ValueError."""
    if not raw.isdigit():
        raise ValueError("is not a revision")
    return int(raw)


def _tree(raw: bytes) -> dict[str, object]:
    try:
        tree = json.loads(raw)
    except ValueError as error:
        raise ValueError("is malformed") from error
    if not isinstance(tree, dict):
        raise ValueError("is malformed")
    return tree
