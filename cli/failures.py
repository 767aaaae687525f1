"""How a command ends badly: one sentence on standard error, and an exit code.

A refusal (ApiError) of the server, a file or a name is REFUSED; a command line that cannot be
meant (click.UsageError) is USAGE; Ctrl-C is INTERRUPTED. Verbs raise, `cli.main` catches. A verb
that works on many objects goes on after a refused one, as kubectl does, with `Failures`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from holdfast.api.errors import ApiError, Reason

REFUSED, USAGE, INTERRUPTED = 1, 2, 130
_HOPELESS = (Reason.UNAVAILABLE, Reason.UNAUTHORIZED)
"""The next object would fail for the same reason: these end the command."""


def say(text: str) -> None:
    """One error sentence."""
    click.echo(f"error: {text}", err=True)


class Failures:
    """Counts what was refused, and says each."""

    def __init__(self) -> None:
        self.count = 0

    @contextlib.contextmanager
    def noted(self, where: str = "") -> Iterator[None]:
        """Say and count an ApiError instead of raising it. where: put before it, "web.yaml:12".

        Raises the ApiError when nothing can work after it: no control node, no access.
        """
        try:
            yield
        except ApiError as error:
            if error.reason in _HOPELESS:
                raise
            say(f"{where}: {error.message}" if where else error.message)
            self.count += 1

    def end(self) -> None:
        """End the process with REFUSED when anything was refused."""
        if self.count:
            sys.exit(REFUSED)
