"""What the table of kinds says about one resource, and about one of its printed columns.

The message class is imported when first asked for, so that reading the table (completion, name
look-up in the CLI) costs no protobuf schema. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.api.kinds import cells

if TYPE_CHECKING:
    from google.protobuf.message import Message

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Column(NamedTuple):
    """One printed column, as in a Table of meta/v1.

    type: "string", "integer" or "date" (an age in its cell). priority: 0 is always shown, 1 only
    with `-o wide`. getter: the cell's text from the object and the time in Unix seconds.
    """

    name: str
    type: str
    priority: int
    getter: Callable[[Any, float], str]


def _name(message: Any, _now: float) -> str:
    return str(message.metadata.name)


def _age(message: Any, now: float) -> str:
    return cells.age(message.metadata.creationTimestamp, now)


NAME = Column("Name", "string", 0, _name)
AGE = Column("Age", "date", 0, _age)

SELECTABLE: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "metadata.name": lambda message: str(message.metadata.name),
        "metadata.namespace": lambda message: str(message.metadata.namespace),
    }
)
"""What every kind can be selected by."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One resource: its names, what it can do, how it is shown, and whether it is built.

    group: "" for core. module: the generated module of its message, under holdfast.api.
    selectable: field selector label → the object's value as text, beyond SELECTABLE.
    built: False means it is known and refused by name (`require_built`).
    """

    group: str
    version: str
    kind: str
    plural: str
    module: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (NAME, AGE)
    selectable: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    built: bool = False
    singular: str = field(init=False)
    resource: str = field(init=False)
    api_version: str = field(init=False)

    def __post_init__(self) -> None:
        """Write the names that follow from the others, and the labels every kind has."""
        group = self.group
        object.__setattr__(self, "singular", self.kind.lower())
        object.__setattr__(self, "resource", f"{self.plural}.{group}" if group else self.plural)
        version = f"{group}/{self.version}" if group else self.version
        object.__setattr__(self, "api_version", version)
        labels = MappingProxyType({**SELECTABLE, **self.selectable})
        object.__setattr__(self, "selectable", labels)

    @property
    def message(self) -> type[Message]:
        """The class of its objects."""
        return _message(self)

    @property
    def list_kind(self) -> str:
        """The kind of a list of it: "PodList"."""
        return self.kind + "List"


@cache  # asked for several times a write
def _message(kind: Kind) -> type[Message]:
    found: type[Message] = getattr(import_module(f"holdfast.api.{kind.module}"), kind.kind)
    return found
