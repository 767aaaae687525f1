"""What a server takes from one connection: every bound of the gRPC layer, in one place."""

from __future__ import annotations

from typing import Any

REQUEST_BYTES_MAX = 4 << 20
"""A request; an object is at most 1.5 MiB, a batch must fit."""
REPLY_BYTES_MAX = 64 << 20
"""A reply; a list that is larger must be read in pages. Clients take as much."""
STREAMS_MAX = 2048
"""Calls under way on one connection: a connection may be shared by many hollow nodes."""
BATCH_WRITES_MAX = 1000
STOP_GRACE_S = 2.0
"""Calls under way when the server stops may finish for this long; then they are cut."""

SERVER_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.max_send_message_length", REPLY_BYTES_MAX),
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    ("grpc.max_metadata_size", 32 << 10),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
)
"""so_reuseport off: a second control node on the same port is an error, not a rival."""
