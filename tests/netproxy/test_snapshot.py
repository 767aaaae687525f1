"""The snapshot: what is written is read back, and damage is never taken for truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.message import Message

from holdfast.netproxy import snapshot
from holdfast.netproxy.picture import ENDPOINT_SLICES, NODES, SERVICES
from tests.netproxy.builders import endpoints, node, service

OBJECTS: list[tuple[str, Message]] = [
    (SERVICES, service("web", "10.96.1.1")),
    (ENDPOINT_SLICES, endpoints("web", "10.244.1.1")),
    (NODES, node("n1", "10.244.1.0/24", "192.168.7.1")),
]


def test_back_and_forth(tmp_path: Path) -> None:
    path = tmp_path / "state" / "netproxy.snapshot"
    assert snapshot.load(path) is None
    snapshot.save(path, OBJECTS)
    snapshot.save(path, OBJECTS)
    assert snapshot.load(path) == OBJECTS
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", [0, 25, 60, -1])
def test_a_flipped_bit_is_noticed(place: int) -> None:
    content = bytearray(snapshot.encode(OBJECTS))
    content[place] ^= 1
    with pytest.raises(snapshot.DamagedError):
        snapshot.decode(bytes(content))


@pytest.mark.parametrize("length", [0, 10, 40, 80])
def test_a_cut_file_is_left_unread(tmp_path: Path, length: int) -> None:
    path = tmp_path / "netproxy.snapshot"
    path.write_bytes(snapshot.encode(OBJECTS)[:length])
    assert snapshot.load(path) is None


def test_too_much_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "BYTES_MAX", 50)
    snapshot.save(tmp_path / "netproxy.snapshot", OBJECTS)
    assert list(tmp_path.iterdir()) == []
