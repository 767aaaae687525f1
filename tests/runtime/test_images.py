"""OCI archives and what is in ours."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from holdfast.runtime.images import archive, builtin, install
from holdfast.runtime.images.archive import Config, Entry


def read(data):
    """name → bytes of an archive."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar.getmembers():
            file = tar.extractfile(info)
            found[info.name] = file.read() if file else b""
    return found


def test_an_archive_is_consistent_and_reproducible():
    entries = [Entry("a/b", b"x", 0o755), Entry("c", link="a/b")]
    data = archive.write("localhost/x:1", entries, Config(["/a/b"], {"A": "1"}, ports=[80]))
    assert data == archive.write("localhost/x:1", entries, Config(["/a/b"], {"A": "1"}, ports=[80]))
    files = read(data)
    index = json.loads(files["index.json"])
    listed = index["manifests"][0]
    assert listed["annotations"]["io.containerd.image.name"] == "localhost/x:1"
    for name, blob in files.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(blob).hexdigest() == name.rpartition("/")[2]
    manifest = json.loads(files["blobs/" + listed["digest"].replace(":", "/")])
    config = json.loads(files["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    layer = files["blobs/" + manifest["layers"][0]["digest"].replace(":", "/")]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"]["Cmd"] == ["/a/b"]
    assert list(read(layer)) == ["a", "a/b", "c"]


def test_the_demo_has_a_shell_and_a_server():
    data = builtin.demo(b"program", ["sh", "httpd", "busybox"], "amd64")
    files = read(data)
    index = json.loads(files["index.json"])
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == builtin.DEMO
    layers = [read(blob) for name, blob in files.items() if b"ustar" in blob[:512]]
    assert any("bin/httpd" in layer and "serve" in layer for layer in layers)


@pytest.mark.parametrize(
    ("program", "static"),
    [(b"#!/bin/sh\n", False), (b"\x7fELF\x02\x01" + bytes(58), True)],
)
def test_static_programs_have_no_interpreter(program, static):
    assert install.is_static(program) is static


def test_a_dynamic_program_is_told_from_a_static_one():
    headers = (3).to_bytes(4, "little") + bytes(52)
    elf = bytearray(64)
    elf[:6] = b"\x7fELF\x02\x01"
    elf[32:40] = (64).to_bytes(8, "little")
    elf[54:56] = (56).to_bytes(2, "little")
    elf[56:58] = (1).to_bytes(2, "little")
    assert not install.is_static(bytes(elf) + headers)
