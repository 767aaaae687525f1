"""Elections: when to stand, what to ask, how to answer (Raft 5.2, 5.4.1; dissertation 3.10, 9.6).

An election may begin by a pre-vote, which raises nobody's term; a transfer of leadership skips
that, and may disturb a leader that is still heard. A node's own vote counts like all others only
once it is durable, so it comes back to itself as a message.

Pure module.
"""

from enum import StrEnum, auto
from typing import Final

from holdfast.control.raft.core.replication import append_entries, broadcast_append
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import NONE, Entry, Message, MessageType
from holdfast.control.raft.quorum import VoteResult
from holdfast.control.raft.ready import Role

TRANSFER_CONTEXT: Final = b"transfer"  # marks a vote that a leader asked for


class Campaign(StrEnum):
    """Why and how a node stands."""

    PRE_ELECTION = auto()
    ELECTION = auto()
    TRANSFER = auto()


_RESPONSES: Final = {
    MessageType.VOTE: MessageType.VOTE_RESP,
    MessageType.PRE_VOTE: MessageType.PRE_VOTE_RESP,
}


def tick(state: RaftState) -> None:
    """One tick of a node that does not lead."""
    state.election_elapsed += 1
    if state.election_elapsed >= state.randomized_election_timeout and state.promotable():
        state.election_elapsed = 0
        on_hup(state, None)


def on_hup(state: RaftState, _message: Message | None) -> None:
    """Stand for election, by pre-vote where that is wanted."""
    stand(state, Campaign.PRE_ELECTION if state.pre_vote else Campaign.ELECTION)


def stand(state: RaftState, campaign: Campaign) -> None:
    """Begin an election, unless this node leads or may not lead.

    A node with a committed and unapplied change of the configuration waits: its idea of the
    voters is known to be old.
    """
    if state.role is Role.LEADER:
        return
    if not state.promotable() or state.log.has_unapplied_conf_change():
        if state.logger:
            state.logger(f"{state.id:x} may not stand for election in term {state.term}")
        return
    if state.logger:
        state.logger(f"{state.id:x} stands for election ({campaign}) after term {state.term}")
    _ask_for_votes(state, campaign)


def _ask_for_votes(state: RaftState, campaign: Campaign) -> None:
    if campaign is Campaign.PRE_ELECTION:
        state.become_pre_candidate()
        kind, term = MessageType.PRE_VOTE, state.term + 1
    else:
        state.become_candidate()
        kind, term = MessageType.VOTE, state.term
    context = TRANSFER_CONTEXT if campaign is Campaign.TRANSFER else b""
    index, log_term = state.log.last_id()
    for voter in state.tracker.voter_nodes():
        if voter == state.id:
            state.send(Message(_RESPONSES[kind], to=voter, term=term))
            continue
        state.send(
            Message(kind, to=voter, term=term, index=index, log_term=log_term, context=context)
        )


def on_vote_request(state: RaftState, message: Message) -> None:
    """Grant or refuse a vote or pre-vote (Raft 5.4.1).

    Learners vote too: one that was promoted may be the last to hear of it, and be needed.
    """
    sender, kind = message.sender, message.type
    free = (
        state.vote == sender
        or (state.vote == NONE and state.leader == NONE)
        or (kind is MessageType.PRE_VOTE and message.term > state.term)
    )
    granted = free and state.log.is_up_to_date(message.index, message.log_term)
    # A grant answers in the term asked for: after a pre-vote ours may be lower, and the candidate
    # ignores lower terms. A refusal tells it ours.
    term = message.term if granted else state.term
    state.send(Message(_RESPONSES[kind], to=sender, term=term, reject=not granted))
    if granted and kind is MessageType.VOTE:
        state.election_elapsed = 0
        state.vote = sender
    if state.logger:
        verb = "grants" if granted else "refuses"
        state.logger(f"{state.id:x} {verb} {sender:x} its {kind} for term {message.term}")


def on_vote_response(state: RaftState, message: Message) -> None:
    """Count an answer to the election under way; the caller knows that it is one to it."""
    tracker = state.tracker
    tracker.record_vote(message.sender, not message.reject)
    granted, refused, result = tracker.tally_votes()
    if state.logger:
        state.logger(f"{state.id:x} has {granted} votes for and {refused} against ({message.type})")
    if result is VoteResult.WON:
        if state.role is Role.PRE_CANDIDATE:
            _ask_for_votes(state, Campaign.ELECTION)
        else:
            become_leader(state)
            broadcast_append(state)
    elif result is VoteResult.LOST:
        state.become_follower(state.term, NONE)


def become_leader(state: RaftState) -> None:
    """Lead from now on, beginning with an empty entry of the new term (Raft 8)."""
    if state.role is Role.FOLLOWER:
        raise RaftPanic("a follower cannot become leader without an election")
    state.reset(state.term)
    state.leader = state.id
    state.role = Role.LEADER
    progress = state.tracker.progress[state.id]
    progress.become_replicate()
    progress.recent_active = True  # and stays so: quorum checks leave the leader itself alone
    # Whether the tail of the log holds a change of the configuration is not looked up: taking
    # none before it is applied is always right.
    state.pending_conf_index = state.log.last_index()
    if not append_entries(state, (Entry(),)):
        raise RaftPanic("the first entry of a term was refused")
    if state.logger:
        state.logger(f"{state.id:x} leads term {state.term}")
