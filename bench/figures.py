"""What a bench prints: one JSON object a line, the median where there were several runs."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence


def emit(name: str, values: Sequence[float] | float, unit: str) -> None:
    """Print a figure: its median over the runs, and the runs themselves when there are several."""
    runs = [values] if isinstance(values, int | float) else list(values)
    line: dict[str, object] = {
        "name": name,
        "value": round(statistics.median(runs), 4),
        "unit": unit,
        "runs": len(runs),
    }
    if len(runs) > 1:
        line["all"] = [round(value, 4) for value in runs]
    print(json.dumps(line), flush=True)


def python_speed() -> float:
    """The reference of figures that Python's own speed decides: sums of a thousand numbers that
    the interpreter makes a second, now, on this machine and beside whatever else it runs."""
    count, ends = 0, time.monotonic() + 0.25
    while time.monotonic() < ends:
        sum(range(1000))
        count += 1
    return count / 0.25
