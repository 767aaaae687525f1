"""Randomness and the record of a run: both follow from the seed alone.

`Streams` gives one generator a purpose, so that one more draw in the network does not shift what
the clients do. `Trace` hashes every step of a run: two runs of a seed are the same run exactly
when their hashes are equal, in whatever process and at whatever hash seed.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
HASHED_LINES = 200
TAIL_LINES = 400
"""The newest lines a trace keeps for who looks at a failure."""


class Draws(random.Random):
    """The draws that are made some ten thousand times a run, without a look at what is asked
    for. Their values are those of the base."""

    def below(self, count: int) -> int:
        """One of 0 … count-1."""
        if count < 1:
            raise ValueError("nothing to draw from")
        getrandbits, bits = self.getrandbits, count.bit_length()
        drawn = getrandbits(bits)
        while drawn >= count:
            drawn = getrandbits(bits)
        return drawn

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        """See the base."""
        return seq[self.below(len(seq))]


class Streams:
    """Random generators by purpose; a purpose's generator is the same object at every call."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, Draws] = {}

    def __getitem__(self, purpose: str) -> Draws:
        stream = self._streams.get(purpose)
        if stream is None:
            # A string is hashed with SHA-512 here, not with the process's own hash seed.
            stream = self._streams[purpose] = Draws(f"{self.seed}/{purpose}")
        return stream


class Trace:
    """What happened, line by line: a running hash, and the newest lines."""

    def __init__(self, lines_max: int = TAIL_LINES) -> None:
        """lines_max: how many lines are kept; 0 = all of them."""
        self._hash = hashlib.blake2b(digest_size=12)
        self._fresh: list[str] = []  # not hashed yet: many at once are cheaper
        self._lines: deque[str] = deque(maxlen=lines_max or None)

    def note(self, line: str) -> None:
        """Add one line. It must hold no address and no order of a set."""
        fresh = self._fresh
        fresh.append(line)
        if len(fresh) >= HASHED_LINES:
            self._take()

    def _take(self) -> None:
        fresh, self._fresh = self._fresh, []
        if fresh:
            self._hash.update("\n".join([*fresh, ""]).encode())
            self._lines.extend(fresh)

    @property
    def lines(self) -> Sequence[str]:
        """The newest lines."""
        self._take()
        return self._lines

    @property
    def digest(self) -> str:
        """The hash of all lines so far."""
        self._take()
        return self._hash.hexdigest()
