"""When an output is as expected: equal but for log lines and blank lines.

What is left must be equal in every character and in order. A block of which nothing is left
counts as `ok`.

Pure module.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_LOG_LINE = re.compile(r"^\s*(DEBUG|INFO|WARN|ERROR|FATAL) ")


def significant(lines: Iterable[str]) -> list[str]:
    """Return the lines that count."""
    kept = [line for line in lines if line.strip() and not _LOG_LINE.match(line)]
    return kept or ["ok"]


def difference(expected: Sequence[str], actual: Sequence[str], title: str) -> list[str]:
    """Return a unified difference of what counts, empty where there is none."""
    want, have = significant(expected), significant(actual)
    if want == have:
        return []
    return list(
        difflib.unified_diff(want, have, f"{title} expected", f"{title} actual", "", "", 3, "")
    )
