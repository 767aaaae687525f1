"""Randomness and the record of a run: both follow from the seed alone.

`Streams` gives one generator a purpose, so that one more draw in the network does not shift what
the clients do. `Trace` hashes every step of a run: two runs of a seed are the same run exactly
when their hashes are equal, in whatever process and at whatever hash seed.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque

TAIL_LINES = 400
"""The newest lines a trace keeps for who looks at a failure."""


class Streams:
    """Random generators by purpose; a purpose's generator is the same object at every call."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def __getitem__(self, purpose: str) -> random.Random:
        stream = self._streams.get(purpose)
        if stream is None:
            # A string is hashed with SHA-512 here, not with the process's own hash seed.
            stream = self._streams[purpose] = random.Random(f"{self.seed}/{purpose}")
        return stream


class Trace:
    """What happened, line by line: a running hash, and the newest lines."""

    def __init__(self, lines_max: int = TAIL_LINES) -> None:
        """lines_max: how many lines are kept; 0 = all of them."""
        self._hash = hashlib.blake2b(digest_size=12)
        self.lines: deque[str] = deque(maxlen=lines_max or None)

    def note(self, line: str) -> None:
        """Add one line. It must hold no address and no order of a set."""
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        self.lines.append(line)

    @property
    def digest(self) -> str:
        """The hash of all lines so far."""
        return self._hash.hexdigest()
