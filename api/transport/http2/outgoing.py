"""The sending half of a connection: frames in order, held back by the peer's windows.

Pure module, `connection`'s own. A stream's data and what follows it (trailers) wait in the
stream's queue while its window or the connection's is closed. When the connection's window opens,
streams take turns, a frame each, so that a large message does not hold up the small ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.windows import grown

_FRAME_BYTES_MAX = 256 << 10
"""Of a frame that we send, however large the peer takes them: others wait behind it."""


class _Stream:
    """One stream's sending side. waiting: data, the first of it sent up to `offset`."""

    __slots__ = ("ended", "offset", "trailers", "unsent", "waiting", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.waiting: deque[bytes] = deque()
        self.offset = 0
        self.unsent = 0
        self.trailers: bytes | None = None  # sent when nothing waits any more
        self.ended = False  # nothing more is taken


class Outgoing:
    """Writes frames to `out` when they may be sent. unsent_bytes: what waits, on all streams.

    drained: streams whose queue became empty because a window opened; the reader empties it.
    """

    def __init__(self, out: list[bytes], ended: Callable[[int], None]) -> None:
        """ended: told of each stream whose last frame was put out."""
        self.unsent_bytes = 0
        self.drained: list[int] = []
        self._out = out
        self._ended = ended
        self._window = frames.WINDOW_DEFAULT
        self._stream_window = frames.WINDOW_DEFAULT
        self._frame_bytes = frames.FRAME_BYTES_DEFAULT
        self._streams: dict[int, _Stream] = {}
        self._blocked: dict[int, _Stream] = {}  # those with something waiting; first: next in turn

    def open(self, stream: int) -> None:
        """A stream on which we may send."""
        self._streams[stream] = _Stream(self._stream_window)

    def has(self, stream: int) -> bool:
        """Whether our side of the stream is open, or has something to send."""
        return stream in self._streams

    def close(self, stream: int) -> None:
        """The stream is over; what waited is dropped."""
        self._streams.pop(stream, None)
        one = self._blocked.pop(stream, None)
        if one is not None:
            self.unsent_bytes -= one.unsent

    def unsent(self, stream: int) -> int:
        """Bytes that wait on a stream."""
        one = self._blocked.get(stream)
        return one.unsent if one is not None else 0

    def headers(self, stream: int, block: bytes, ended: bool) -> None:
        """Fields; `ended`: trailers, the last thing on the stream."""
        one = self._streams.get(stream)
        if one is None or one.ended:
            return
        one.ended = ended
        if one.waiting:
            assert ended, "only trailers come after data"
            one.trailers = block
            return
        self._fields(stream, block, ended)

    def data(self, stream: int, data: bytes, ended: bool) -> None:
        """Bytes of the stream; `ended`: its last."""
        one = self._streams.get(stream)
        if one is None or one.ended:
            return
        one.ended = ended
        size = len(data)
        if not one.waiting and (
            size <= min(one.window, self._window, self._frame_bytes) or not size
        ):
            one.window -= size
            self._window -= size
            flags = frames.END_STREAM if ended else 0
            self._out.append(frames.frame(frames.DATA, flags, stream, data))
            if ended:
                self._end(stream)
            return
        one.waiting.append(data)
        one.unsent += size
        self.unsent_bytes += size
        self._blocked[stream] = one
        while one.waiting and self._send_frame(stream, one):
            pass

    def window_grew(self, stream: int, amount: int) -> bool:
        """WINDOW_UPDATE. False: the window would be larger than the protocol allows."""
        if stream == 0:
            window = grown(self._window, amount)
            if window is None:
                return False
            self._window = window
            self._send_blocked()
            return True
        one = self._streams.get(stream)
        if one is None:
            return True  # it ended meanwhile
        window = grown(one.window, amount)
        if window is None:
            return False
        one.window = window
        if one.waiting:
            # Whoever else waits has a closed window of its own, or the connection's is closed.
            while one.waiting and self._send_frame(stream, one):
                pass
            if not one.waiting:
                self.drained.append(stream)
        return True

    def stream_window(self, size: int) -> bool:
        """SETTINGS_INITIAL_WINDOW_SIZE: of streams to come, and a correction of those there are.
        False: a window would be larger than the protocol allows."""
        change, self._stream_window = size - self._stream_window, size
        for one in self._streams.values():
            window = grown(one.window, change)
            if window is None:
                return False
            one.window = window
        self._send_blocked()
        return True

    def frame_bytes(self, size: int) -> None:
        """SETTINGS_MAX_FRAME_SIZE."""
        self._frame_bytes = min(size, _FRAME_BYTES_MAX)

    def _send_blocked(self) -> None:
        """A frame of each stream in turn, until the connection's window or all theirs are
        closed."""
        turn = dict(self._blocked)
        while turn and self._window > 0:
            for stream, one in list(turn.items()):
                if self._window <= 0:
                    return
                if not self._send_frame(stream, one):
                    del turn[stream]
                elif not one.waiting:
                    del turn[stream]
                    self.drained.append(stream)
                else:  # it goes to the end: the next window is another's first
                    self._blocked[stream] = self._blocked.pop(stream)

    def _send_frame(self, stream: int, one: _Stream) -> bool:
        """One frame of what waits on a stream. False: its windows are closed."""
        data, start = one.waiting[0], one.offset
        size = len(data) - start
        room = max(0, min(one.window, self._window, self._frame_bytes))
        if size > room:
            if not room:
                return False
            size = room
            one.offset += size
        else:
            one.waiting.popleft()
            one.offset = 0
        one.window -= size
        self._window -= size
        one.unsent -= size
        self.unsent_bytes -= size
        last = not one.waiting
        flags = frames.END_STREAM if last and one.ended and one.trailers is None else 0
        piece = data[start : start + size]
        self._out.append(frames.frame(frames.DATA, flags, stream, piece))
        if last:
            self._emptied(stream, one)
        return True

    def _emptied(self, stream: int, one: _Stream) -> None:
        """Nothing waits any more: what follows the data may go."""
        del self._blocked[stream]
        if one.trailers is not None:
            self._fields(stream, one.trailers, True)
        elif one.ended:
            self._end(stream)

    def _fields(self, stream: int, block: bytes, ended: bool) -> None:
        """HEADERS, and CONTINUATION for what does not fit into one frame."""
        flags = frames.END_STREAM if ended else 0
        size = self._frame_bytes
        if len(block) <= size:
            flags |= frames.END_HEADERS
            self._out.append(frames.frame(frames.HEADERS, flags, stream, block))
        else:
            self._out.append(frames.frame(frames.HEADERS, flags, stream, block[:size]))
            for start in range(size, len(block), size):
                flags = frames.END_HEADERS if start + size >= len(block) else 0
                piece = block[start : start + size]
                self._out.append(frames.frame(frames.CONTINUATION, flags, stream, piece))
        if ended:
            self._end(stream)

    def _end(self, stream: int) -> None:
        del self._streams[stream]
        self._ended(stream)
