"""What a bench prints: one JSON object a line, the median where there were several runs."""

from __future__ import annotations

import json
import statistics
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
