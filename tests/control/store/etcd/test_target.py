"""The text that names an etcd: what it may say, and one sentence for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.control.store.etcd.target import OPTIONS, Target, TargetError, parse


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("etcd://db", Target(("db:2379",))),
        ("etcd://db:1,10.0.0.2", Target(("db:1", "10.0.0.2:2379"))),
        ("etcd://[::1]:99,[fd00::2]", Target(("[::1]:99", "[fd00::2]:2379"))),
        ("etcd://db/", Target(("db:2379",))),
        ("etcd://db/one/two/", Target(("db:2379",), prefix="one/two")),
        (
            "etcd://me@db?password-file=/p&ca=/c",
            Target(("db:2379",), user="me", password_file=Path("/p"), ca=Path("/c")),
        ),
        (
            "etcd://db/x?ca=c.pem&cert=d%20e&key=k",
            Target(("db:2379",), "x", ca=Path("c.pem"), cert=Path("d e"), key=Path("k")),
        ),
    ],
)
def test_what_a_text_means(text: str, target: Target) -> None:
    assert parse(text) == target


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://db", "does not begin with etcd://"),
        ("etcd://", "no host is given"),
        ("etcd://a,,b", "'' is not HOST:PORT"),
        ("etcd://:2379", "':2379' is not HOST:PORT"),
        ("etcd://a:b", "'b' is not a port"),
        ("etcd://a:0", "'0' is not a port"),
        ("etcd://a:65536", "'65536' is not a port"),
        ("etcd://[::1:2379", "is not"),
        ("etcd://" + "a," * 16 + "a", "17 hosts are given"),
        ("etcd://me:pw@db", "a password has no place in the address"),
        ("etcd://@db", "no user before the @"),
        ("etcd://me@db", "given together"),
        ("etcd://db?password-file=/p", "given together"),
        ("etcd://db?cert=a", "cert and key are given together"),
        ("etcd://db?cert=a&key=b", "cert needs ca"),
        ("etcd://db?ca=", "the option ca needs a file"),
        ("etcd://db?ca=a&ca=b", "the option ca is given twice"),
        ("etcd://db?tls=yes", "unknown option 'tls': there are " + ", ".join(OPTIONS)),
        ("etcd://db#x", "'db#x' is not HOST:PORT"),
        ("etcd://a b", "'a b' is not HOST:PORT"),
        ("etcd://db/a//b", "has an empty part"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(TargetError) as error:
        parse(text)
    assert told in str(error.value)


def test_messages_name_no_secrets() -> None:
    assert str(parse("etcd://me@a,b:1?password-file=/p")) == "etcd at a:2379, b:1"
