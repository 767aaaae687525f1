"""gRPC over HTTP/2, on the event loop: the wire between all programs of a cluster.

grpc.aio carries the same bytes at four to eight times the CPU a message, most of it in hand-overs
to its poller thread (docs/decisions.md has the measurement); with thousands of small messages a
second that was the largest cost of a control node. Any gRPC client or server of another make can
be at the other end.

From below: `http2` is the protocol as a pure state machine; `messages` and `metadata` are gRPC's
forms on top, pure as well; `link` joins a connection to an asyncio transport; `stream` is the
receiving half of a call; `server` with `servercall` and `channel` with `clientcall` and `unary` are
the two ends, with the calling conventions of grpc.aio, so that generated stubs and grpcio's own
services (health, reflection) work on them. No service and no object of ours is known here.
"""
