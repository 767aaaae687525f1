"""Run benches by name, one process each: `bin/bench`, or `bin/bench density store`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIBRARY = {"__init__", "__main__", "figures", "cluster", "load"}


def names() -> list[str]:
    """Every bench: a module of this folder that is run by itself."""
    return sorted(
        path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in LIBRARY
    )


def main() -> int:
    """Exit code 1 when a bench failed, 2 for a name that is none."""
    wanted = sys.argv[1:] or names()
    unknown = [name for name in wanted if name not in names()]
    if unknown:
        print(
            f"no bench named {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr
        )
        return 2
    codes = [subprocess.run([sys.executable, "-m", f"bench.{name}"]).returncode for name in wanted]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
