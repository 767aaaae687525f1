"""Runs script files and says where they differ from what they expect.

`collect` finds the files, `run` runs one; the command line and the tests both go through these.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.control.raft.scripts.comparison import difference
from tests.control.raft.scripts.confchange import ConfChangeHarness
from tests.control.raft.scripts.datadriven import Block, ScriptError, parse, rewrite
from tests.control.raft.scripts.interaction.commands import InteractionHarness
from tests.control.raft.scripts.interaction.logs import KINDS as STORAGES
from tests.control.raft.scripts.quorum import QuorumHarness


class Harness(Protocol):
    """Gives the commands of one script their meaning."""

    def run(self, block: Block) -> str:
        """Run one command and return its output."""

    def close(self) -> None:
        """Release what the script used."""


HARNESSES: dict[str, Callable[[str], Harness]] = {
    "confchange": lambda _storage: ConfChangeHarness(),
    "interaction": lambda storage: InteractionHarness(STORAGES[storage]()),
    "quorum": lambda _storage: QuorumHarness(),
}
"""By the name of the folder in which a script stands; given the kind of storage."""


@dataclass(frozen=True)
class Outcome:
    """What became of one script, which has `blocks` commands.

    `difference` is empty where all that was run is as expected; `fault` says why the script could
    not be run, or not to its end; `rewritten` is the script with what was printed in place of what
    was expected, None where it was not run to its end.
    """

    path: Path
    blocks: int
    difference: str = ""
    fault: str = ""
    rewritten: str | None = None

    @property
    def problem(self) -> str:
        """All that is wrong, empty where nothing is."""
        return self.difference + self.fault


def collect(paths: Iterable[Path]) -> list[Path]:
    """Return the script files that are named, or that stand below the folders that are named.

    Raises:
        ScriptError: a path does not exist or holds no script.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise ScriptError(f"{path} does not exist")
        below = sorted(path.rglob("*.txt"))
        if not below:
            raise ScriptError(f"{path} holds no script (*.txt)")
        found += below
    return found


def kind(path: Path) -> str:
    """Return what a script drives, by the nearest folder above it that says so.

    Raises:
        ScriptError: none does.
    """
    for folder in path.absolute().parents:
        if folder.name in HARNESSES:
            return folder.name
    raise ScriptError(f"{path}: no folder above it is named {', '.join(HARNESSES)}")


def run(path: Path, storage: str = "memory") -> Outcome:
    """Run one script in full.

    Args:
        path: the file.
        storage: the kind of storage for the members of an interaction script.
    """
    try:
        text = path.read_text()
        blocks = parse(text)
        harness = HARNESSES[kind(path)](storage)
    except ScriptError as error:
        return Outcome(path, 0, fault=f"{path}: {error}\n")
    except (OSError, UnicodeDecodeError) as error:
        return Outcome(path, 0, fault=f"{path} cannot be read: {error}\n")
    if not blocks:
        return Outcome(path, 0, fault=f"{path} holds no command\n")
    try:
        return _run_blocks(path, text, blocks, harness)
    finally:
        harness.close()


def _run_blocks(path: Path, text: str, blocks: list[Block], harness: Harness) -> Outcome:
    outputs: list[list[str]] = []
    differing = ""
    for block in blocks:
        title = f"{path}:{block.line} ({block.command})"
        try:
            output = harness.run(block).splitlines()
        except ScriptError as error:
            return Outcome(path, len(blocks), differing, f"{title}: {error}\n")
        except Exception:
            # Whatever the core raises is a finding: the script ends here, others still run.
            return Outcome(path, len(blocks), differing, f"{title}:\n{traceback.format_exc()}")
        outputs.append(output)
        differing += "".join(f"{line}\n" for line in difference(block.expected, output, title))
    return Outcome(path, len(blocks), differing, rewritten=rewrite(text, outputs))
