"""Frames as the RFC draws them."""

from __future__ import annotations

import pytest

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.frames import Code, Setting


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        (frames.frame(frames.DATA, 1, 5, b"abc"), "000003 00 01 00000005 616263"),
        (frames.frame(frames.DATA, 0, 1, b"x" * 70000)[:9], "011170 00 00 00000001"),
        (frames.settings({}), "000000 04 00 00000000"),
        (
            frames.settings({Setting.INITIAL_WINDOW_SIZE: 1, Setting.MAX_FRAME_SIZE: 16384}),
            "00000c 04 00 00000000 0004 00000001 0005 00004000",
        ),
        (frames.window_update(3, 256), "000004 08 00 00000003 00000100"),
        (frames.rst_stream(3, Code.CANCEL), "000004 03 00 00000003 00000008"),
        (frames.goaway(7, Code.NO_ERROR, b"bye"), "00000b 07 00 00000000 00000007 00000000 627965"),
        (frames.ping(b"12345678"), "000008 06 00 00000000 3132333435363738"),
        (frames.ping(b"12345678", ack=True), "000008 06 01 00000000 3132333435363738"),
    ],
)
def test_a_frame_is_these_bytes(frame: bytes, wanted: str) -> None:
    assert frame == bytes.fromhex(wanted)


def test_the_text_of_a_goaway_is_bounded() -> None:
    assert len(frames.goaway(0, 0, b"x" * 10_000)) < 300
