"""What the store is told and what it answers: plain data, the same for every engine.

A commit is a list of writes. A batch (the usual case) judges each write alone: one stale pod
does not refuse 500 bindings. An atomic commit happens whole or not at all. Time and ids ride
inside the values; nothing here reads a clock. Pure module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

new_tuple: Any = tuple.__new__
"""Makes a NamedTuple, of its class and its fields in a tuple, in half the time of a call of it."""

ANY = -1
"""Write.expect: whatever is there."""
ABSENT = 0
"""Write.expect: the key must not exist. A positive number: its revision must be this one."""

ATOMIC_WRITES_MAX = 100
ATOMIC_COMPARES_MAX = 20
ATOMIC_BYTES_MAX = 1 << 20
WRITE_BYTES = 64
"""What a write counts for beside its value."""


class Key(NamedTuple):
    """Where an object is. resource: "pods", "deployments.apps"; namespace "" = cluster-wide.

    Resources that start with "~" are the control node's own rows (allocated addresses, tokens):
    stored and watched like all others, never shown through the API.
    """

    resource: str
    namespace: str
    name: str


class Write(NamedTuple):
    """One change wanted. value None deletes. expect: ANY, ABSENT or the revision it must have.

    A delete of a key that is absent is refused as MISSING, whatever it expects.
    """

    key: Key
    value: bytes | None
    expect: int


class Compare(NamedTuple):
    """A key that an atomic commit does not write but depends on. expect as in Write."""

    key: Key
    expect: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One unit of work for an engine.

    id: 16 bytes made by the client, a repeat is answered with the first result; b"" = none.
    term: the term its decision was made in, refused at apply in another; 0 = not fenced.
    """

    id: bytes
    writes: Sequence[Write]
    compares: Sequence[Compare] = ()
    atomic: bool = False
    term: int = 0


class Refusal(StrEnum):
    """Why a write (or a whole atomic commit) did not happen."""

    EXISTS = "exists"  # expected ABSENT
    MISSING = "missing"  # expected a revision, or deleted, and nothing is there
    STALE = "stale"  # another revision is there
    COMPARE = "compare"  # a compared key was not as expected
    NOT_DONE = "not done"  # this write was fine, another one of its atomic commit was not
    TERM = "term"  # decided in an old term
    LIMIT = "limit"  # an atomic commit over its limits, or one with a key twice


class Outcome(NamedTuple):
    """The answer to one write: its revision, or why it was refused.

    current: the revision found at the key when refused (0 = absent).
    """

    revision: int
    refusal: Refusal | None = None
    current: int = 0


class Result(NamedTuple):
    """The answer to a commit, one outcome a write. revision: the store's after it."""

    outcomes: tuple[Outcome, ...]
    revision: int


class Change(NamedTuple):
    """One applied write, as watchers and the cache see it. value None = deleted.

    created: the revision of the key's creation. previous: the value before, None = absent.
    replaced: the revision of `previous`, 0 = absent. end: the last revision of its commit.
    """

    revision: int
    key: Key
    value: bytes | None
    previous: bytes | None
    created: int
    replaced: int
    end: int


class Row(NamedTuple):
    """One object as stored at some revision."""

    key: Key
    value: bytes
    revision: int
    created: int


class Compact(NamedTuple):
    """Raise the history floor: changes at or below it may be dropped, the state at it may not."""

    floor: int


class Check(NamedTuple):
    """What the leader's state was after the log's entry at an index: a member that had another
    one there must end. checksum: `Position.checksum`."""

    index: int  # type: ignore[assignment]  # tuple.index is not used
    revision: int
    checksum: int


def flaw(commit: Commit) -> str:
    """Which limit of atomic commits this one breaks, as a sentence; "" = none."""
    if not commit.atomic:
        return "only an atomic commit compares" if commit.compares else ""
    if len(commit.writes) > ATOMIC_WRITES_MAX:
        return f"an atomic commit has at most {ATOMIC_WRITES_MAX} writes"
    if len(commit.compares) > ATOMIC_COMPARES_MAX:
        return f"an atomic commit has at most {ATOMIC_COMPARES_MAX} compares"
    if sum(map(size, commit.writes)) > ATOMIC_BYTES_MAX:
        return f"an atomic commit has at most {ATOMIC_BYTES_MAX} bytes"
    keys = {write.key for write in commit.writes} | {one.key for one in commit.compares}
    if len(keys) < len(commit.writes) + len(commit.compares):
        return "an atomic commit names no key twice"
    return ""


def size(write: Write) -> int:
    """The bytes a write counts for in every limit."""
    return WRITE_BYTES + len(write.value or b"")
