"""`python -m tests.control.raft.scripts PATH…`: run scripts, print what differs.

Exit status: 0 where all is as expected, 1 where a script differs, 2 where nothing could be run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.control.raft.scripts.datadriven import ScriptError
from tests.control.raft.scripts.interaction.logs import KINDS
from tests.control.raft.scripts.runs import Outcome, collect, run

OWN = Path(__file__).parents[1] / "data"
"""Where our own scripts stand: the only ones that may be rewritten."""


def main() -> int:
    """Run what the command line says and return the exit status."""
    options = _parser().parse_args()
    try:
        paths = collect(options.paths)
        if options.rewrite:
            _check_own(paths)
    except ScriptError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    outcomes = [run(path, options.storage) for path in paths]
    if options.rewrite:
        return _rewrite(outcomes)
    differing = [outcome for outcome in outcomes if outcome.problem]
    for outcome in differing:
        sys.stdout.write(outcome.problem)
    blocks = sum(outcome.blocks for outcome in outcomes)
    if differing:
        names = "".join(f"  {outcome.path}\n" for outcome in differing)
        sys.stdout.write(
            f"{len(differing)} of {len(outcomes)} scripts differ on {options.storage}:\n{names}"
        )
        return 1
    sys.stdout.write(
        f"{len(outcomes)} scripts, {blocks} commands on {options.storage}: all as expected\n"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.control.raft.scripts",
        description="Run scripts of the consensus core; their folder's name tells their kind.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    parser.add_argument(
        "--storage", choices=sorted(KINDS), default="memory", help="where members keep their logs"
    )
    parser.add_argument(
        "--rewrite",
        action="store_true",
        help="put what was printed in place of what was expected (our own scripts only)",
    )
    return parser


def _check_own(paths: list[Path]) -> None:
    for path in paths:
        if OWN.resolve() not in path.resolve().parents:
            raise ScriptError(f"{path} is not ours: only scripts below {OWN} are rewritten")


def _rewrite(outcomes: list[Outcome]) -> int:
    failed = 0
    for outcome in outcomes:
        if outcome.rewritten is None:
            sys.stdout.write(outcome.fault)
            failed = 1
        elif outcome.difference:
            outcome.path.write_text(outcome.rewritten)
            sys.stdout.write(f"rewritten: {outcome.path}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
