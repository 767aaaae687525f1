"""Whom to ask: what resolv.conf says, never ourselves."""

from __future__ import annotations

from pathlib import Path

from holdfast.netproxy.dns.resolvers import servers_of, upstreams

TEXT = """# a comment
search example.org
nameserver 10.96.0.10
nameserver 192.168.7.53
  nameserver fd00::53
nameserver nonsense
nameserver
nameserver 0.0.0.0
options ndots:5
"""


def test_the_servers_of_a_file() -> None:
    assert servers_of(TEXT) == ["10.96.0.10", "192.168.7.53", "fd00::53"]


def test_we_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(TEXT)
    assert upstreams(("10.96.0.10",), [file]) == ("192.168.7.53", "fd00::53")


def test_behind_a_stub_the_real_servers_are_read(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    assert upstreams((), [stub, real]) == ("127.0.0.53",)
    real.write_text("nameserver 192.168.7.53\n")
    assert upstreams((), [stub, real]) == ("192.168.7.53",)


def test_no_file_no_server(tmp_path: Path) -> None:
    assert upstreams((), [tmp_path / "missing"]) == ()
