"""What a server takes from one connection: every bound of the gRPC layer, in one place."""

from __future__ import annotations

from holdfast.api.transport.server import Bounds

REQUEST_BYTES_MAX = 4 << 20
"""A request; an object is at most 1.5 MiB, a batch must fit."""
REPLY_BYTES_MAX = 64 << 20
"""A reply; a list that is larger must be read in pages. Clients take as much."""
STREAMS_MAX = 2048
"""Calls under way on one connection: a connection may be shared by many hollow nodes."""
BATCH_WRITES_MAX = 1000
STOP_GRACE_S = 2.0
"""Calls under way when the server stops may finish for this long; then they are cut."""

BOUNDS = Bounds(streams=STREAMS_MAX, request_bytes=REQUEST_BYTES_MAX)
