"""The event loop's wake-ups by gRPC, taken all at once.

grpc.aio's poller thread writes one byte into a socket pair for each operation that is complete. Its
reader on the loop handles every complete operation, but takes one byte a turn. A loop whose turns
are longer than the time between operations leaves bytes behind; when some 280 of them fill the
socket's buffer the poller thread blocks in its write, and from then on one operation is handled a
turn: at turns of 10 ms, 100 a second, and no beat or watch gets through before its time is over
(measured with grpcio 1.85: 3,000 messages echoed on 300 streams beside turns of 10 ms take over
60 s, and 16 s so).

So the reader's end of that pair takes all that waits. Programs that serve or follow thousands of
streams call `drain` on their loop before anything else of grpc.aio.
"""

from __future__ import annotations

import socket

import grpc.aio

DRAIN_BYTES = 65_536


class _Drained(socket.socket):
    """The reader's end: what is asked for is one byte, what is taken is all."""

    def recv(self, _bytes: int, _flags: int = 0) -> bytes:
        return super().recv(DRAIN_BYTES)


def drain() -> None:
    """Set gRPC up on the running loop so that it takes all its wake-ups at once.

    gRPC makes its socket pair when it is first used and offers no way to bring one: for that
    moment, in which nothing else runs on this thread, `socket.socketpair` is ours.
    """
    usual = socket.socketpair

    def pair() -> tuple[socket.socket, socket.socket]:
        reader, writer = usual()
        return _Drained(fileno=reader.detach()), writer

    socket.socketpair = pair  # type: ignore[assignment]
    try:
        grpc.aio.init_grpc_aio()
    finally:
        socket.socketpair = usual
