"""Which objects a list, watch or delete of many is about. Pure module."""

from __future__ import annotations

from typing import Any

from holdfast.api import kinds, selectors
from holdfast.api.kinds import Kind


class Selection:
    """A request's kind, namespace and selectors. Raises ApiError when made of bad text."""

    __slots__ = ("fields", "kind", "labels", "namespace")

    def __init__(self, request: Any) -> None:
        """request: has resource, namespace, label_selector and field_selector."""
        self.kind: Kind = kinds.require_built(kinds.by_resource(request.resource))
        self.namespace: str = request.namespace if self.kind.namespaced else ""
        text = request.label_selector
        self.labels = selectors.parse_labels(text) if text else None
        text = request.field_selector
        self.fields = selectors.parse_fields(text, self.kind) if text else None

    @property
    def whole(self) -> bool:
        """Whether there are no selectors."""
        return self.labels is None and self.fields is None

    @property
    def required(self) -> dict[str, str]:
        """What the field selector demands to be equal."""
        return {} if self.fields is None else dict(self.fields.required)

    def matches(self, message: Any) -> bool:
        """Whether an object of the kind and namespace is selected."""
        if self.labels is not None and not self.labels.matches(message.metadata.labels):
            return False
        return self.fields is None or self.fields.matches(message)
