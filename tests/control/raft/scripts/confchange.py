"""Runs the scripts of the folder `confchange`: changes to one configuration, step by step.

Commands: `simple`, `enter-joint [autoleave=true]`, `leave-joint`; the input is the list of
changes. Each command counts up the log's last index, from 0, so that the first index at which a
new member is probed is seen in the output.
"""

from __future__ import annotations

from holdfast.control.raft.confchange import Changer, ConfChangeError, Outcome
from holdfast.control.raft.messages import ConfChangeSingle
from holdfast.control.raft.tracker import ProgressTracker
from tests.control.raft.scripts import changes, describe
from tests.control.raft.scripts.datadriven import Block

_MAX_INFLIGHT = 10


class ConfChangeHarness:
    """The configuration of one script."""

    def __init__(self) -> None:
        self._tracker = ProgressTracker(_MAX_INFLIGHT)
        self._last_index = 0

    def run(self, block: Block) -> str:
        """Run one command and return its output."""
        try:
            self._tracker.install(*self._make(block, changes.parse(block.input)))
        except (ConfChangeError, changes.ChangesError) as error:
            return str(error)
        finally:
            self._last_index += 1
        return (
            f"{describe.config(self._tracker.config)}\n"
            f"{describe.progress_map(self._tracker.progress)}"
        )

    def close(self) -> None:
        """Nothing to release."""

    def _make(self, block: Block, wanted: tuple[ConfChangeSingle, ...]) -> Outcome:
        changer = Changer(self._tracker, self._last_index)
        match block.command:
            case "simple":
                return changer.simple(wanted)
            case "enter-joint":
                return changer.enter_joint(block.option("autoleave") == "true", wanted)
            case "leave-joint":
                if wanted:
                    raise ConfChangeError("this command takes no input")
                return changer.leave_joint()
        raise ConfChangeError("unknown command")
