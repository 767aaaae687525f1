"""What a command prints: indented inside of others, and silenced as a whole by `none`.

Pure module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE")


class Output:
    """The text of one command. Log lines are never written here: none are compared."""

    def __init__(self) -> None:
        self.level = LEVELS[0]
        self._parts: list[str] = []

    @property
    def quiet(self) -> bool:
        """Whether the level silences the commands too."""
        return self.level == LEVELS[-1]

    def write(self, text: str) -> None:
        """Add text, unless the level silences it."""
        if not self.quiet:
            self._parts.append(text)

    @contextmanager
    def indented(self) -> Iterator[None]:
        """Indent the lines that are written inside."""
        outer, self._parts = self._parts, []
        try:
            yield
        finally:
            inner, self._parts = "".join(self._parts), outer
            self._parts += [f"  {line}\n" for line in inner.split("\n") if line]

    def take(self) -> str:
        """Return what was written, and begin anew."""
        text = "".join(self._parts)
        self._parts = []
        return text
