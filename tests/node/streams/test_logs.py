"""Reading container logs from disk."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.node.streams import logformat
from holdfast.node.streams.logs import Reader, Wanted, chain, tail_offset

STAMP = "2026-11-21T13:05:23.620535805Z"


def lines(*texts, tag="F"):
    return b"".join(f"{STAMP} stdout {tag} {text}\n".encode() for text in texts)


async def read(path, over=True, **wanted):
    pieces = [piece async for piece in Reader(path, Wanted(**wanted), lambda: over).pieces()]
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (f"{STAMP} stdout F hello", b"hello\n"),
        (f"{STAMP} stderr P part", b"part"),
        (f"{STAMP} stdout F ", b"\n"),
        (f"{STAMP} stdout F a  b", b"a  b\n"),
    ],
)
def test_records(record, text):
    line = logformat.parse(record.encode())
    assert line is not None
    assert line.text == text


@pytest.mark.parametrize("record", [b"", b"nonsense", b"x stdout F", b"x stdin F y"])
def test_what_is_no_record(record):
    assert logformat.parse(record) is None


def test_times():
    assert logformat.seconds(b"1970-01-01T00:00:01.5Z") == 1.5
    assert logformat.seconds(b"1970-01-01T01:00:01.25+01:00") == 1.25
    assert logformat.seconds(b"1970-01-01T00:00:02Z") == 2


async def test_the_whole_log_through_rotated_files(tmp_path):
    path = tmp_path / "0.log"
    path.write_bytes(lines("4", "5"))
    (tmp_path / "0.log.1").write_bytes(lines("3"))
    (tmp_path / "0.log.2").write_bytes(lines("1", "2"))
    assert [found.name for found in chain(path)] == ["0.log.2", "0.log.1", "0.log"]
    assert await read(path) == b"1\n2\n3\n4\n5\n"
    assert await read(path, tail=3) == b"3\n4\n5\n"
    assert await read(path, tail=4) == b"2\n3\n4\n5\n"
    assert await read(path, tail=0) == b""
    assert await read(path, limit_bytes=3) == b"1\n2"


async def test_timestamps_and_since(tmp_path):
    path = tmp_path / "0.log"
    path.write_bytes(lines("a") + b"2030-01-01T00:00:00Z stdout F b\n")
    assert await read(path, since=1893000000.0) == b"b\n"
    assert await read(path, timestamps=True, tail=1) == b"2030-01-01T00:00:00Z b\n"


async def test_no_log(tmp_path):
    with pytest.raises(FileNotFoundError):
        await read(tmp_path / "0.log")


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 5000])
def test_the_tail_is_found_over_blocks(tmp_path, count):
    path = tmp_path / "0.log"
    path.write_bytes(lines(*(f"line {number} " + "x" * 100 for number in range(1000))))
    with path.open("rb") as file:
        offset, found = tail_offset(file, count)
        file.seek(offset)
        assert len(file.read().splitlines()) == found == min(count, 1000)


async def test_following_goes_on_over_a_rotation_until_the_container_ends(tmp_path):
    path = tmp_path / "0.log"
    path.write_bytes(lines("1"))
    ended = False
    got = []

    async def follow():
        reader = Reader(path, Wanted(follow=True), lambda: ended)
        async for piece in reader.pieces():
            got.append(piece)

    task = asyncio.create_task(follow())
    for _ in range(100):
        if got:
            break
        await asyncio.sleep(0.01)
    with path.open("ab") as file:
        file.write(lines("2"))
        path.rename(tmp_path / "0.log.1")
        file.write(lines("3"))
    path.write_bytes(lines("4"))
    ended = True
    await asyncio.wait_for(task, 5)
    assert b"".join(got) == b"1\n2\n3\n4\n"
