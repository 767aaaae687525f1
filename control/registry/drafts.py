"""What a preparation may look at (`Situation`) and what it gives back (`Draft`). Pure module.

A draft is one intent turned into store writes. The registry submits it; nothing in a preparation
writes, waits or reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.api.errors import ApiError
from holdfast.control.registry.intents import Done
from holdfast.control.store.commands import Key, Write

if TYPE_CHECKING:
    from holdfast.control.cache import Entry
    from holdfast.control.registry.addresses.ranges import Ranges
    from holdfast.control.registry.ids import Ids
    from holdfast.control.registry.proven import ProvenTemplates

NEVER = 1 << 62
"""A revision no object ever has: a write that expects it is always refused."""


class View(Protocol):
    """The part of the cache that preparations read."""

    def get(self, resource: str, namespace: str, name: str) -> Entry | None: ...

    def list(self, resource: str, namespace: str = "") -> list[Entry]: ...

    def count(self, resource: str) -> int: ...


@dataclass(slots=True)
class Situation:
    """What one commit's preparations share.

    now: Unix seconds. manager: the field manager. reserved: addresses chosen by drafts of any
    commit that is not done yet; the registry owns the set. fresh: those that the draft under
    preparation chose, given back when it fails. creating: whether a create is under way in a
    namespace.
    """

    view: View
    now: float
    ids: Ids
    manager: str
    ranges: Ranges
    proven: ProvenTemplates
    reserved: set[Key]
    creating: Callable[[str], bool]
    fresh: list[Key] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """One intent, checked and ready to be written, or settled without writing.

    writes: the object's own first, then the addresses it takes or frees; all or none happen.
    data: the object as it will be stored, b"" when it is removed. base: what the draft was decided
    on. pinned: the caller named the revision, so another one is a Conflict
    rather than a reason to look again. generated: the name was drawn. settled: the answer when
    there is nothing to write: it is as wanted already, or it is refused. message: what data was
    made of, when nobody else has it: the cache may keep it.
    """

    key: Key
    writes: tuple[Write, ...]
    data: bytes = b""
    base: Entry | None = None
    pinned: bool = False
    generated: bool = False
    settled: Done | ApiError | None = None
    message: Any = None


def unchanged(base: Entry) -> Draft:
    """Nothing to write: the object is as wanted."""
    return Draft(base.key, (), base.data, base, settled=Done(base, base.revision))


def refused(key: Key, error: ApiError) -> Draft:
    """Nothing to write: the intent cannot be."""
    return Draft(key, (), settled=error)


def probe(key: Key) -> Write:
    """A write that can only be refused: it asks the store whether it knows the commit's id."""
    return Write(key, None, NEVER)
