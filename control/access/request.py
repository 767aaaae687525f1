"""What a caller asks for, as the rules see it. Pure module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class Stored(Protocol):
    """An object of the cache."""

    @property
    def message(self) -> Any: ...


class View(Protocol):
    """The part of the cache that rules look at."""

    def get(self, resource: str, namespace: str, name: str, /) -> Stored | None: ...

    def by_index(self, resource: str, index: str, value: str, /) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller wants. resource: "pods" or "deployments.apps".

    verb: get, list, watch, create, update, patch, delete, deletecollection. namespace, name: ""
    where the verb has none. fields_required: the equality terms of a field selector. old, new: the
    object before and after a write, None where that is not known or does not exist.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    fields_required: Mapping[str, str] = field(default_factory=dict)
    old: Any = None
    new: Any = None
    view: View | None = None
