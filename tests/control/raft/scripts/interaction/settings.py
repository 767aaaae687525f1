"""The options of `add-nodes`: what members begin with, and how their cores are set up.

The defaults are those the published scripts were written for: an election after 3 ticks, a
heartbeat each tick, no limits. Random choices always fall on the first.

Pure module.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from holdfast.control.raft.core.config import Config, ReadOnlyOption
from holdfast.control.raft.messages import ConfState, Snapshot
from tests.control.raft.scripts.datadriven import Block, ScriptError, number
from tests.control.raft.scripts.interaction.members import HarnessError

_DEFAULTS: dict[str, Any] = {
    "randomness": lambda _choices: 0,
    "election_tick": 3,
    "heartbeat_tick": 1,
    "max_inflight_msgs": 2**31 - 1,
}
_FLAGS = {
    "async-storage-writes": "async_storage_writes",
    "prevote": "pre_vote",
    "checkquorum": "check_quorum",
    "disable-conf-change-validation": "disable_conf_change_validation",
    "disable-proposal-forwarding": "disable_proposal_forwarding",
    "step-down-on-removal": "step_down_on_removal",
}
_NUMBERS = {
    "inflight": "max_inflight_msgs",
    "max-committed-size-per-ready": "max_committed_size_per_ready",
    "max-inflight-bytes": "max_inflight_bytes",
    "max-size-per-msg": "max_size_per_msg",
    "max-uncommitted-size": "max_uncommitted_entries_size",
}
_READ_ONLY = {"safe": ReadOnlyOption.SAFE, "lease-based": ReadOnlyOption.LEASE_BASED}
_BEGINNING = ("voters", "learners", "index", "content")


def settings(block: Block) -> Callable[..., Config]:
    """Return what makes a member's configuration, once id, storage and applied are added.

    Raises:
        HarnessError: an option's value is none.
        ScriptError: there is no such option.
    """
    chosen = dict(_DEFAULTS)
    for key, values in block.arguments[1:]:
        for value in values:
            if key in _FLAGS:
                chosen[_FLAGS[key]] = boolean(block, value)
            elif key in _NUMBERS:
                chosen[_NUMBERS[key]] = number(value)
            elif key == "read-only":
                if value not in _READ_ONLY:
                    raise HarnessError(f'invalid read-only option "{value}"')
                chosen["read_only_option"] = _READ_ONLY[value]
            elif key not in _BEGINNING:
                raise ScriptError(f"no option {key}")
    return partial(Config, **chosen)


def beginning(block: Block) -> Snapshot:
    """Return the state that members begin with; the empty one where none is described.

    Raises:
        HarnessError: a state needs an index above 1, as if a log had led to it.
    """
    listed = {key: values for key, values in block.arguments[1:] if values}
    conf_state = ConfState(
        voters=tuple(sorted(number(voter) for voter in listed.get("voters", ()))),
        learners=tuple(sorted(number(learner) for learner in listed.get("learners", ()))),
    )
    index = number(listed.get("index", ("0",))[-1])
    image = Snapshot(index, 0, conf_state, "".join(listed.get("content", ())).encode())
    if image == Snapshot():
        return image
    if index <= 1:
        raise HarnessError("index must be specified as > 1 due to bootstrap")
    return image._replace(term=1)


def boolean(block: Block, value: str) -> bool:
    """Read `true` or `false`."""
    if value not in ("true", "false"):
        raise ScriptError(f"{value} is neither true nor false")
    return value == "true"
