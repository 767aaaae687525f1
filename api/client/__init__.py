"""The async client over gRPC: `Client`, and `Reflector` to follow a resource.

Used by the CLI, the node agent, netproxy and the benches; the control node itself never uses it.
`Reflector` is imported when first asked for: it logs, and a command that answers in a blink
does not wait for a logging library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.api.client.client import BATCH_WRITES_MAX, Client
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.client.events import Event, EventType, Listed, Outcome, Write, WriteVerb

if TYPE_CHECKING:
    from holdfast.api.client.reflector import Reflector

__all__ = [
    "BATCH_WRITES_MAX",
    "Client",
    "Endpoint",
    "Event",
    "EventType",
    "Listed",
    "Outcome",
    "Reflector",
    "Write",
    "WriteVerb",
]


def __getattr__(name: str) -> Any:
    if name != "Reflector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from holdfast.api.client.reflector import Reflector

    return Reflector
