"""The text that says which etcd to use, and how to be let in.

    etcd://[USER@]HOST[:PORT][,HOST[:PORT]…][/PREFIX][?OPTION=VALUE&…]

Options: `ca` (a file of CA certificates: speak TLS), `cert` and `key` (files: a client's
certificate), `password-file` (the user's password). PREFIX, "holdfast" if not given, is where the
keys are below; two clusters on one etcd need two. A wrong text gives one sentence. Pure module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote

SCHEME = "etcd://"
PORT = 2379
PREFIX = "holdfast"
OPTIONS = ("ca", "cert", "key", "password-file")
HOSTS_MAX = 16
_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


class TargetError(ValueError):
    """The text is wrong: one sentence that names what."""


@dataclass(frozen=True, slots=True)
class Target:
    """An etcd. hosts: "host:port" each. prefix: without slashes around it. ca None: no TLS."""

    hosts: tuple[str, ...]
    prefix: str = PREFIX
    user: str = ""
    password_file: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __str__(self) -> str:
        """How messages name it: without user and files."""
        return f"etcd at {', '.join(self.hosts)}"


def parse(text: str) -> Target:
    """The target that a text names. Raises TargetError."""
    if not text.startswith(SCHEME):
        raise TargetError(f"{text!r} does not begin with {SCHEME}")
    rest, _, query = text.removeprefix(SCHEME).partition("?")
    place, _, path = rest.partition("/")
    user, at, hosts = place.rpartition("@")
    if at and not user:
        raise TargetError("there is no user before the @")
    if ":" in user:
        raise TargetError("a password has no place in the address: use ?password-file=FILE")
    prefix = unquote(path).strip("/") or PREFIX
    if "\0" in prefix or "//" in prefix:
        raise TargetError(f"the prefix {prefix!r} has an empty part or a NUL")
    options = _options(query)
    target = Target(
        tuple(_host(host) for host in _hosts(hosts)), prefix, unquote(user),
        options.get("password-file"), options.get("ca"), options.get("cert"), options.get("key"),
    )  # fmt: skip
    _check_together(target)
    return target


def _hosts(text: str) -> list[str]:
    hosts = text.split(",") if text else []
    if not hosts:
        raise TargetError("no host is given: etcd://HOST:PORT")
    if len(hosts) > HOSTS_MAX:
        raise TargetError(f"{len(hosts)} hosts are given, {HOSTS_MAX} is the most")
    return hosts


def _host(text: str) -> str:
    """ "host:port" of one member; an IPv6 address stands in brackets."""
    bracketed = text.startswith("[")
    name, colon, rest = text.partition("]") if bracketed else text.partition(":")
    if bracketed:
        name, rest = name + colon, rest.removeprefix(":")
    if not _NAME.fullmatch(name):
        raise TargetError(f"{text!r} is not HOST:PORT")
    if not rest:
        return f"{name}:{PORT}"
    if not (rest.isascii() and rest.isdigit() and 0 < int(rest) < 65_536):
        raise TargetError(f"{text!r}: {rest!r} is not a port")
    return f"{name}:{rest}"


def _options(query: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise TargetError(f"unknown option {name!r}: there are {', '.join(OPTIONS)}")
        if not value:
            raise TargetError(f"the option {name} needs a file")
        if name in found:
            raise TargetError(f"the option {name} is given twice")
        found[name] = Path(value)
    return found


def _check_together(target: Target) -> None:
    if (target.cert is None) != (target.key is None):
        raise TargetError("cert and key are given together or not at all")
    if target.cert and not target.ca:
        raise TargetError("cert needs ca: a client certificate is used with TLS only")
    if bool(target.user) != bool(target.password_file):
        raise TargetError("a user (etcd://USER@…) and password-file are given together")
