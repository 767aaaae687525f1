"""Figure 3 of the Raft paper, under random schedules; then, without faults, progress."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.control.raft.core.chaos import Chaos

STEPS = 800
SETTLE_TICKS = 200  # votes may be split, and short logs stand first, a good many times


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_safety_always_and_progress_once_faults_end(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(STEPS):
        chaos.step()
    chaos.check_logs()
    chaos.settle(SETTLE_TICKS)
    if chaos.leader() is None and chaos.stranded():
        return
    # The first entry may bring a joint configuration to its end, and with it the leader's role.
    for _ in range(2):
        leader = chaos.leader()
        assert leader is not None, "nobody leads"
        data = chaos.propose(leader)
        chaos.settle(SETTLE_TICKS)
        if chaos.leader() is None and chaos.stranded():
            return
    chaos.check_logs()
    leader = chaos.leader()
    assert leader is not None, "nobody leads"
    assert data in [entry.data for entry in chaos.committed.values()], "nothing is committed"
    conf = leader.node.raft.tracker.conf_state()
    assert not (conf.voters_outgoing and conf.auto_leave), "a joint configuration remains"
    applied = {leader.node.raft.log.applied}
    applied |= {chaos.members[member].node.raft.log.applied for member in conf.voters}
    assert len(applied) == 1, f"voters are not level: {sorted(applied)}"
