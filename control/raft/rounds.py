"""The local half of a round: what the log's writer and the state machine are told, and answer.

`node` builds a round's messages with these. In the synchronous mode only the answers are used:
the node gives them to itself when the round is advanced.

Pure module.
"""

from collections.abc import Sequence

from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    Entry,
    HardState,
    Message,
    MessageType,
    Snapshot,
)

_UNCHANGED = HardState()


def append_order(
    state: RaftState,
    hard_state: HardState | None,
    entries: Sequence[Entry],
    snapshot: Snapshot | None,
) -> Message | None:
    """The order to make these durable, with all messages that wait for it; None: no need.

    Args:
        state: of the node.
        hard_state: None where it did not change.
        entries: to be written, those not in progress yet.
        snapshot: to be put in place of the log.
    """
    waiting = state.messages_after_append
    if not entries and hard_state is None and snapshot is None and not waiting:
        return None
    term, vote, commit = hard_state or _UNCHANGED
    return Message(
        MessageType.STORAGE_APPEND,
        to=LOCAL_APPEND,
        sender=state.id,
        term=term,
        vote=vote,
        commit=commit,
        entries=entries,
        snapshot=snapshot,
        # The node's acknowledgement of its own entries goes before the answer that lets go of
        # them, so that their terms are found without asking storage.
        responses=[*waiting, *append_answers(state, snapshot)],
    )


def append_answers(state: RaftState, snapshot: Snapshot | None) -> list[Message]:
    """What tells the node that all it has handed out so far is durable; empty: nothing waits.

    It carries the term. Entries may be replaced while they are written, by another leader's, and
    then by the first ones again; the answer to the first write must not count for the third. The
    term rises in between, and an answer of an older term says nothing about entries. So that they
    are let go of in the end, every write answers for all up to the last index, also one without
    entries: each new term makes such a write.

    Args:
        state: of the node.
        snapshot: handed out in this round.
    """
    unstable = state.log.unstable.entries
    if not unstable and snapshot is None:
        return []
    index, log_term = state.log.last_id() if unstable else (0, 0)
    return [
        Message(
            MessageType.STORAGE_APPEND_RESP,
            to=state.id,
            sender=LOCAL_APPEND,
            term=state.term,
            index=index,
            log_term=log_term,
            snapshot=snapshot,
        )
    ]


def apply_order(state: RaftState, committed: Sequence[Entry]) -> Message:
    """The order to apply `committed`, with its answer."""
    return Message(
        MessageType.STORAGE_APPLY,
        to=LOCAL_APPLY,
        sender=state.id,
        entries=committed,
        responses=[apply_answer(state, committed)],
    )


def apply_answer(state: RaftState, committed: Sequence[Entry]) -> Message:
    """What tells the node that `committed` is applied. Of no term: what is committed stays so."""
    return Message(
        MessageType.STORAGE_APPLY_RESP, to=state.id, sender=LOCAL_APPLY, entries=committed
    )
