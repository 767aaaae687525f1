"""Random names and uids, from one injected source of randomness.

Pure module: the caller brings the generator (`random.Random()`, which the system seeds, in
production; a seeded one in tests and in the simulation). None of these is a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, nothing that looks like another."""
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The digit of a UUID that says its variant (the binary digits 10), from a random one."""
_PAIRS = tuple(first + second for first in SUFFIX_ALPHABET for second in SUFFIX_ALPHABET)


class Randomness(Protocol):
    """The part of `random.Random` that is used."""

    def getrandbits(self, k: int, /) -> int: ...

    def randbytes(self, n: int, /) -> bytes: ...

    def randrange(self, stop: int, /) -> int: ...


class Derived:
    """Randomness drawn from a request's id: a chain of hashes, the same at each repeat."""

    __slots__ = ("_state",)

    def __init__(self, seed: bytes) -> None:
        self._state = seed

    def randbytes(self, n: int, /) -> bytes:
        """n random bytes, at most 32."""
        self._state = state = hashlib.blake2b(self._state, digest_size=32).digest()
        return state[:n]

    def getrandbits(self, k: int, /) -> int:
        """k random bits, at most 256."""
        return int.from_bytes(self.randbytes(32), "big") >> (256 - k)

    def randrange(self, stop: int, /) -> int:
        """A number from 0 to stop - 1; stop far below 2^128."""
        return self.getrandbits(128) % stop


class Ids:
    """Draws uids, name suffixes and numbers.

    derive: makes the generator of one request from its id (`Derived`), so that a repeated request
    draws the same names again and is recognised as the same write.
    """

    __slots__ = ("_derive", "_source")

    def __init__(
        self, source: Randomness, derive: Callable[[bytes], Randomness] | None = None
    ) -> None:
        self._source = source
        self._derive = derive

    def of_request(self, request_id: bytes) -> Ids:
        """The ids of one request: its own sequence, the same at each repeat."""
        if not request_id or self._derive is None:
            return self
        return Ids(self._derive(request_id))

    def uid(self) -> str:
        """A random UUID, version 4 (RFC 9562)."""
        text = self._source.randbytes(16).hex()
        variant = _VARIANTS[text[16]]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def suffix(self) -> str:
        """Five characters for generateName."""
        number = self._source.getrandbits(40)
        number, first = divmod(number, len(_PAIRS))
        number, second = divmod(number, len(_PAIRS))
        return _PAIRS[first] + _PAIRS[second] + SUFFIX_ALPHABET[number % len(SUFFIX_ALPHABET)]

    def below(self, stop: int) -> int:
        """A random number from 0 to stop - 1."""
        return self._source.randrange(stop)
