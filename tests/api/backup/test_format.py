"""Backup files: what is written is read, and nothing that happens to a file goes unnoticed."""

from __future__ import annotations

import hashlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.backup.format import FRAME_BYTES, MAGIC, Encoder
from holdfast.api.backup.reading import DamagedError, Reader, summarize
from holdfast.api.backup.v1.backup_pb2 import Authority, Header, Object

HEADER = Header(
    cluster_id="c1",
    revision=40,
    created_at_ms=1_800_000_000_000,
    version="1.2.3",
    authority=Authority(certificate_pem=b"certificate", key_pem=b"key"),
)
PODS = [
    Object(namespace="default", name=f"pod-{n}", revision=n + 1, created=1, value=b"v" * n)
    for n in range(5)
]
NODES = [Object(name="node-1", revision=9, created=9, value=b"\0\xff")]


def whole(**resources: list[Object]) -> bytes:
    encoder = Encoder()
    parts = [encoder.begin(HEADER)]
    for resource, objects in resources.items():
        parts += encoder.objects(resource, objects)
    return b"".join([*parts, encoder.end()])


FILE = whole(nodes=NODES, pods=PODS)


def fault(data: bytes) -> str:
    """What is said of a damaged file."""
    with pytest.raises(DamagedError) as caught:
        summarize(io.BytesIO(data))
    return str(caught.value)


def test_what_was_written_is_read() -> None:
    reader = Reader(io.BytesIO(FILE))
    assert reader.header() == HEADER
    found = [(frame.resource, list(frame.objects)) for frame in reader.frames()]
    assert found == [("nodes", NODES), ("pods", PODS)]


def test_the_figures_of_a_file() -> None:
    summary = summarize(io.BytesIO(FILE))
    assert summary.counts == {"nodes": 1, "pods": 5}
    assert (summary.objects, summary.bytes) == (6, len(FILE))
    assert summary.sha256 == hashlib.sha256(FILE).hexdigest()
    assert summary.header.cluster_id == "c1"
    assert "key" not in repr(summary), "the authority's key is nobody's figure"


def test_a_backup_of_nothing_is_a_backup() -> None:
    assert summarize(io.BytesIO(whole())).objects == 0


def test_many_objects_become_frames_of_bounded_size() -> None:
    objects = [Object(name=str(n), value=bytes(FRAME_BYTES // 3 + 1)) for n in range(10)]
    pieces = list(Encoder().objects("pods", objects))
    assert len(pieces) == 4
    assert max(map(len, pieces)) < FRAME_BYTES * 4 // 3 + 1000
    assert summarize(io.BytesIO(whole(pods=objects))).counts == {"pods": 10}


@given(st.integers(0, len(FILE) * 8 - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    data = bytearray(FILE)
    data[bit // 8] ^= 1 << bit % 8
    assert fault(bytes(data))


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(at: int, change: int) -> None:
    data = bytearray(FILE)
    data[at] ^= change
    assert fault(bytes(data))


def test_every_truncation_is_found() -> None:
    for length in range(1, len(FILE)):
        text = fault(FILE[:length])
        expected = "is not a Holdfast backup" if length < len(MAGIC) else "is cut off after"
        assert text.startswith(expected), (length, text)


@given(st.binary(min_size=1, max_size=50))
def test_anything_behind_the_end_is_found(more: bytes) -> None:
    assert f"something follows its end at byte {len(FILE)}" in fault(FILE + more)


@given(st.binary(max_size=200).filter(lambda data: not data.startswith(MAGIC)))
def test_other_files_are_named_as_such(data: bytes) -> None:
    text = fault(data)
    assert text == ("is not a Holdfast backup" if data else "is empty")


@given(st.binary(max_size=200))
def test_garbage_behind_the_start_is_found(data: bytes) -> None:
    assert fault(FILE[:10] + data)


def test_frames_in_another_order_are_found() -> None:
    first, second = (next(Encoder().objects(name, PODS)) for name in ("a", "b"))
    data = whole(a=PODS, b=PODS)
    assert first + second in data
    assert "SHA-256" in fault(data.replace(first + second, second + first))
    assert "has 5 objects and says 10" in fault(data.replace(first, b""))


def test_a_newer_format_is_named() -> None:
    data = MAGIC + struct.pack("<H", 9) + FILE[10:]
    assert fault(data) == (
        "is a backup of format version 9, this program knows 1: use the program that wrote it"
    )


def test_damage_is_told_by_its_place() -> None:
    at = FILE.index(b"pod-3")
    data = FILE[:at] + b"P" + FILE[at + 1 :]
    assert fault(data).startswith("is damaged: the frame at byte ")
