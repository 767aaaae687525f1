"""The settings of a plan as the core takes them."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.control.raft.core.config import Config
from holdfast.control.raft.storage import LogStorage
from tests.sim.core.plan import Plan


def config(
    plan: Plan, ident: int, storage: LogStorage, applied: int, randomness: Callable[[int], int]
) -> Config:
    """The configuration of one member, started where its image stands."""
    inflight_bytes = plan.max_inflight_bytes
    if inflight_bytes < plan.max_size_per_msg:
        inflight_bytes = 0  # a limit below one message makes no sense, and is refused
    return Config(
        id=ident,
        election_tick=plan.election_tick,
        heartbeat_tick=1,
        storage=storage,
        applied=applied,
        async_storage_writes=plan.asynchronous,
        max_size_per_msg=plan.max_size_per_msg,
        max_committed_size_per_ready=plan.max_committed_size,
        max_uncommitted_entries_size=plan.max_uncommitted_size,
        max_inflight_msgs=plan.max_inflight_msgs,
        max_inflight_bytes=inflight_bytes,
        check_quorum=plan.check_quorum,
        pre_vote=plan.pre_vote,
        disable_proposal_forwarding=not plan.forwarding,
        step_down_on_removal=plan.step_down_on_removal,
        randomness=randomness,
    )
