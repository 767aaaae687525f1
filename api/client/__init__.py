"""The async client over gRPC: `Client`, and `Reflector` to follow a resource.

Used by the CLI, the node agent, netproxy and the benches; the control node itself never uses it.
"""

from holdfast.api.client.client import BATCH_WRITES_MAX, Client
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.client.events import Event, EventType, Listed, Outcome, Write, WriteVerb
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
