"""What the store said about a draft: whether to try again, and what the caller is told.

Pure module.
"""

from __future__ import annotations

from holdfast.api.errors import ApiError, Reason, already_exists, conflict, not_found
from holdfast.control.registry.changes import stale
from holdfast.control.registry.drafts import Draft, probe
from holdfast.control.store.commands import Outcome, Refusal, Write

ATTEMPTS_MAX = 5
"""How often a write is prepared whose object changes meanwhile, or whose drawn name or address is
taken."""

Verdict = Outcome | ApiError | None
"""The store's word on a draft's own write, its failure, or None when nothing was written."""

_STATE_REASONS = (Reason.NOT_FOUND, Reason.CONFLICT, Reason.FORBIDDEN, Reason.ALREADY_EXISTS)
_OTHERS_FAULT = (Refusal.NOT_DONE, Refusal.COMPARE)


def repeatable(draft: Draft, *, alone: bool, atomic: bool) -> Draft:
    """The draft in a request that has an id: settled or not, it takes part in the commit.

    A repeat of a request is prepared against what its first run left behind: what was a write may
    be settled now. With a probe in its place the commit keeps its shape, and the store answers
    with the first results. alone: a lone refusal of what was sent needs no probe. atomic: a probe
    would make the whole fail, so what is as wanted is written again.
    """
    settled = draft.settled
    if settled is None:
        return draft
    if alone and isinstance(settled, ApiError) and settled.reason not in _STATE_REASONS:
        return draft
    if atomic and draft.base is not None:
        draft.settled = None
        draft.writes = (Write(draft.key, draft.data, draft.base.revision),)
    else:
        draft.writes = (probe(draft.key),)
    return draft


def failed(verdict: Verdict) -> bool:
    """Whether the write did not happen."""
    return isinstance(verdict, ApiError) or (verdict is not None and verdict.refusal is not None)


def is_worth_another_try(draft: Draft, verdict: Verdict) -> bool:
    """Whether preparing again may help: the caller did not insist on what turned out wrong."""
    if draft.settled is not None or not isinstance(verdict, Outcome):
        return False
    if verdict.refusal is Refusal.STALE:
        return not draft.pinned
    if verdict.refusal is Refusal.EXISTS:
        return draft.generated
    return verdict.refusal in _OTHERS_FAULT


def refusal_of(draft: Draft, outcome: Outcome) -> ApiError:
    """Why the store refused, in the API's words."""
    resource, _namespace, name = draft.key
    if outcome.refusal is Refusal.EXISTS and not draft.generated:
        return already_exists(resource, name)
    if outcome.refusal is Refusal.MISSING:
        return not_found(resource, name)
    if outcome.refusal is Refusal.TERM:
        message = f'{resource} "{name}" was decided under a leader that has been replaced'
        return ApiError(Reason.NOT_LEADER, message, resource, name)
    if outcome.refusal is Refusal.STALE and draft.pinned:
        return stale(resource, name)
    return conflict(resource, name, f"it kept changing during {ATTEMPTS_MAX} attempts")


def culprit(drafts: list[Draft], verdicts: list[Verdict]) -> tuple[Draft, Verdict] | None:
    """The first draft that made an atomic commit fail, None when it happened.

    When only the addresses of a draft were refused, any draft stands for it.
    """
    bad = [(d, v) for d, v in zip(drafts, verdicts, strict=True) if failed(v) or _settles(d, v)]
    if not bad:
        return None
    return next((pair for pair in bad if not _is_others_fault(pair[1])), bad[0])


def _settles(draft: Draft, verdict: Verdict) -> bool:
    return verdict is None and isinstance(draft.settled, ApiError)


def _is_others_fault(verdict: Verdict) -> bool:
    return isinstance(verdict, Outcome) and verdict.refusal in _OTHERS_FAULT
