"""The core's settings in production: what is fixed, and what a `Pace` says. Pure module.

Pre-vote and check-quorum are on: a member that comes back does not unseat a leader, and a leader
that hears nobody steps down. Reads are by heartbeat round alone, never by the clock: ticks pause.
"""

from __future__ import annotations

from holdfast.control.raft.core.config import Config, ReadOnlyOption
from holdfast.control.raft.shell.seams import Setup
from holdfast.control.raft.storage import LogStorage


def config(setup: Setup, log: LogStorage, applied: int) -> Config:
    """For a member that starts with this log, of which so much is applied."""
    pace = setup.pace
    return Config(
        id=setup.member,
        storage=log,
        randomness=setup.randomness,
        election_tick=pace.election_ticks,
        heartbeat_tick=pace.heartbeat_ticks,
        applied=applied,
        async_storage_writes=True,
        max_size_per_msg=pace.bytes_per_message,
        max_committed_size_per_ready=pace.applying_bytes,
        max_uncommitted_entries_size=pace.uncommitted_bytes,
        max_inflight_msgs=pace.inflight_messages,
        max_inflight_bytes=pace.inflight_bytes,
        check_quorum=True,
        pre_vote=True,
        read_only_option=ReadOnlyOption.SAFE,
        disable_proposal_forwarding=True,
        step_down_on_removal=True,
    )
