"""Commits on their way: what a stop waits for."""

from __future__ import annotations

from holdfast.control.store.commands import Commit
from holdfast.control.store.replicated.proposals import Proposals
from tests.sim.whole.loop import NEVER, SimLoop


def turn(loop: SimLoop, times: int = 20) -> None:
    for _ in range(times):
        loop.turn()


def test_a_stop_does_not_spin_on_a_call_that_was_cancelled() -> None:
    """Its entry is proposed all the same, and has to be applied first."""
    loop = SimLoop(lambda: 0.0)
    proposals = Proposals(lambda _: (7, 1), lambda: 6)
    running = loop.create_task(proposals.run())
    proposals.open()

    async def call() -> None:
        await proposals.add(Commit(b"id", ()), 1, 1)

    calling = loop.create_task(call())
    turn(loop)
    calling.cancel()
    turn(loop)
    finishing = loop.create_task(proposals.finish())
    turn(loop)
    assert loop.due() == NEVER, "nobody runs while the entry is on its way"
    assert not finishing.done()
    assert len(proposals.take(7, 1)) == 1
    turn(loop)
    assert finishing.done()
    running.cancel()
    turn(loop)
    loop.close()
