"""When a long-lived process looks for cycles of references: in small portions, in quiet moments.

An object is freed when the last reference to it goes; Python's collector is for cycles alone, and
pays for everything it looks at (about 1 µs an object of a large heap), nearly all of which lives
on. Left to itself it looks most while most is made: a twentieth of a burst, in stops of 5 to 20 ms.
Here a clock decides. What was made since the last look, and a little of what was there before,
is looked at while that is little; what a burst made is taken as living, unlooked at, in no time.
What lives long must not become a cycle: a connection and its calls let go of themselves, and tests
hold them to it.
"""

from __future__ import annotations

import asyncio
import gc

LOOK_S = 1.0
YOUNG_MIN = 200
"""With fewer new objects than this there is no look."""
YOUNG_MAX = 5_000
"""With more they are taken as living: a look would hold the loop for longer than 5 ms."""
OLDER_MAX = 5_000
"""So many that lived through looks are looked at again; then they are taken as living, too."""


class Cycles:
    """The looks of this process, from here on: first none, while it loads, then by `run`."""

    def __init__(self) -> None:
        self._older = 0
        gc.disable()

    def loaded(self) -> None:
        """What is there now is looked at for the last time."""
        gc.collect()
        gc.freeze()

    async def run(self) -> None:
        """Look until cancelled; then the collector's own rule holds again."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                self.look()
        finally:
            gc.enable()

    def look(self) -> None:
        """Look now, or take what is there as living."""
        young = gc.get_count()[0]
        if young > YOUNG_MAX:
            self._keep()
        elif young >= YOUNG_MIN:
            gc.collect()  # of what is not taken as living
            self._older += young
            if self._older > OLDER_MAX:
                self._keep()

    def _keep(self) -> None:
        gc.freeze()
        self._older = 0
