"""Which objects a watch is about, and what a change means to it.

A selection has one topic, the narrowest list of the ring that holds all its changes: its
resource, the namespace or the node. Leaving the selection is DELETED with the last state that
was in it, entering is ADDED. Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from holdfast.api.selectors import FieldSelector, LabelSelector
from holdfast.control.cache.entries import Entry, EventType
from holdfast.control.cache.events import Decode, Event, Record
from holdfast.control.cache.indexes import NODE, PODS

Topic = tuple[str, str, str]
"""A list of the ring: resource, field ("" = all of it, "namespace" or "spec.nodeName"), value."""

ANY_COMMIT: Topic = ("", "", "")


@dataclass(frozen=True, slots=True)
class Selection:
    """namespace "" = all. An empty selector selects everything."""

    resource: str
    namespace: str
    labels: LabelSelector
    fields: FieldSelector

    @property
    def node(self) -> str | None:
        """The node whose pods it is about, None when it is not about one node's."""
        if self.resource != PODS:
            return None
        return self.fields.required.get(NODE)

    @property
    def topic(self) -> Topic:
        """Where the ring keeps all changes that may concern it."""
        node = self.node
        if node is not None:
            return (self.resource, NODE, node)
        if self.namespace:
            return (self.resource, "namespace", self.namespace)
        return (self.resource, "", "")

    def matches(self, namespace: str, message: Any) -> bool:
        """Is this object in it? message None (our own rows): selectors match nothing."""
        if self.namespace and namespace != self.namespace:
            return False
        if self.labels.empty and self.fields.empty:
            return True
        if message is None:
            return False
        return self.labels.matches(message.metadata.labels) and self.fields.matches(message)


class Lens:
    """A selection as a watcher applies it to records: what can be judged without decoding is."""

    def __init__(self, selection: Selection, decode: Decode) -> None:
        self.topic = selection.topic
        self._selection = selection
        self._decode = decode
        self._node = selection.node
        # What is left to judge when the namespace and the node are right.
        terms = len(selection.fields.terms) - (self._node is not None)
        self._plain = selection.labels.empty and terms == 0

    def event(self, record: Record) -> Event | None:
        """What a record means to the watch; None = nothing."""
        selection = self._selection
        if record.key.resource != selection.resource:
            return None
        if selection.namespace and record.key.namespace != selection.namespace:
            return None
        before = self._holds(record, record.old, 0)
        after = self._holds(record, record.new, 1)
        if after:
            return record.event(EventType.MODIFIED if before else EventType.ADDED)
        return record.event(EventType.DELETED) if before else None

    def holds(self, entry: Entry) -> bool:
        """Is this object in the selection?"""
        return self._selection.matches(entry.key.namespace, entry.message)

    def _holds(self, record: Record, data: bytes | None, side: int) -> bool:
        if data is None:
            return False
        known = self._node is None
        if record.nodes and self._node is not None:
            if record.nodes[side] != self._node:
                return False
            known = True
        if self._plain and known:
            return True
        message = self._decode(record.key.resource, data)
        return self._selection.matches(record.key.namespace, message)
