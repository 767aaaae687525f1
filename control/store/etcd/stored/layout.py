"""Where in etcd what is: the keys below the prefix.

    /PREFIX/cluster            who it is; written once
    /PREFIX/controls           the control nodes, each written by itself
    /PREFIX/floor              the history floor
    /PREFIX/head               the newest transaction; every transaction writes it
    /PREFIX/leader             the leader, on its lease
    /PREFIX/objects/R NUL S NUL N    the object N of resource R in namespace S
    /PREFIX/results/XXXX       the results of one transaction's commits, by its number

NUL is the smallest byte, so etcd's order of keys is ours (resource, then namespace, then name), and
a page is one range. Pure module.
"""

from __future__ import annotations

from holdfast.control.store.commands import Key

RESULT_SLOTS = 16_384
"""Transactions whose results are kept; a newer one overwrites the oldest."""

_SEPARATOR = b"\0"
# Order is kept: \1 sorts behind NUL and before all else.
_ESCAPED = ((b"\1", b"\1\2"), (_SEPARATOR, b"\1\1"))


class Layout:
    """The keys of one store."""

    def __init__(self, prefix: str) -> None:
        """prefix: without slashes around it."""
        self.start = b"/" + prefix.encode() + b"/"
        self.end = behind(self.start)
        self.cluster = self.start + b"cluster"
        self.controls = self.start + b"controls"
        self.floor = self.start + b"floor"
        self.head = self.start + b"head"
        self.leader = self.start + b"leader"
        self.objects = self.start + b"objects/"
        self.results = self.start + b"results/"

    def object(self, key: Key) -> bytes:
        """Where an object is."""
        return self.objects + _SEPARATOR.join(map(_escape, key))

    def object_key(self, raw: bytes) -> Key:
        """The object at a key below `objects`. Raises ValueError when it is no key of ours."""
        parts = raw[len(self.objects) :].split(_SEPARATOR)
        if len(parts) != 3:
            raise ValueError("it does not name resource, namespace and name")
        return Key(*(_unescape(part).decode() for part in parts))

    def scope(self, resource: str, namespace: str, after: Key | None) -> tuple[bytes, bytes]:
        """The range of a resource's objects, in one namespace or ("") all, behind a key."""
        start = self.objects + _escape(resource) + _SEPARATOR
        if namespace:
            start += _escape(namespace) + _SEPARATOR
        end = behind(start)
        return (max(start, self.object(after) + b"\0") if after else start), end

    def result(self, number: int) -> bytes:
        """Where the results of the transaction of this number are."""
        return self.results + b"%04x" % (number % RESULT_SLOTS)


def behind(prefix: bytes) -> bytes:
    """The first key that does not begin with a prefix (whose last byte is below 255)."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))


def _escape(part: str) -> bytes:
    raw = part.encode()
    for plain, escaped in _ESCAPED:
        raw = raw.replace(plain, escaped)
    return raw


def _unescape(raw: bytes) -> bytes:
    for plain, escaped in reversed(_ESCAPED):
        raw = raw.replace(escaped, plain)
    return raw
