"""How a program tells its supervisor that it serves: one byte on an inherited pipe.

The supervisor puts the pipe's number into HOLDFAST_READY_FD; without it nothing happens. An
event instead of a poll: `up` starts the next program the moment this one is ready.
"""

from __future__ import annotations

import os

VARIABLE = "HOLDFAST_READY_FD"


def announce() -> None:
    """Say once that this program serves. Without a supervisor, and later, it does nothing."""
    number = os.environ.pop(VARIABLE, "")
    if not number.isdigit():
        return
    try:
        os.write(int(number), b"1")
    except OSError:
        return  # the supervisor is gone: nobody waits
    os.close(int(number))
