"""Whom to ask for names that are not the cluster's: the servers of this machine's resolv.conf.

Never ourselves, or a question would go round for ever: our own address is left out. Where the
file names only a stub on loopback (systemd-resolved), the list that the stub itself uses is read,
as the kubelet does. `servers_of` is pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
SERVERS_MAX = 3
"""As resolv.conf(5)."""


def servers_of(text: str) -> list[str]:
    """The addresses of its nameserver lines, in order, what is no address left out."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and _is_address(words[1]):
            found.append(words[1])
    return found


def upstreams(ours: Sequence[str], files: Sequence[Path] = FILES) -> tuple[str, ...]:
    """The servers to ask, at most three, none of `ours`. Empty when there is none to be found."""
    best: list[str] = []
    for file in files:
        try:
            text = file.read_text(errors="replace")
        except OSError:
            continue
        found = [server for server in servers_of(text) if server not in ours]
        best = best or found
        if any(not _is_loopback(server) for server in found):
            return tuple(found[:SERVERS_MAX])
    return tuple(best[:SERVERS_MAX])


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


def _is_loopback(text: str) -> bool:
    return ipaddress.ip_address(text).is_loopback
