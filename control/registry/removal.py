"""Turning a DELETE into a draft: mark or remove.

Pure module. Called by `preparation`, and by `changes` when an update takes the last finalizer off.
A marked object has deletionTimestamp; it goes when nothing holds it any more and its grace is 0.
Rules as Kubernetes' rest.BeforeDelete and the generic registry's store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import holdfast.control.registry.metadata as metadata
import holdfast.control.registry.strategies as strategies
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.control.registry.drafts import Draft, Situation, unchanged
from holdfast.control.registry.intents import Intent, Propagation
from holdfast.control.registry.strategies.generic import Strategy
from holdfast.control.store.commands import Write

if TYPE_CHECKING:
    from holdfast.control.registry.changes import Target

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_ASKED_FOR = {
    Propagation.BACKGROUND: (),
    Propagation.FOREGROUND: (FOREGROUND,),
    Propagation.ORPHAN: (ORPHAN,),
}


def delete(target: Target, intent: Intent, kind: Kind, situation: Situation) -> Draft:
    """The draft of a delete. Raises ApiError."""
    strategy = strategies.of(kind.resource)
    if intent.grace_period_s is not None and intent.grace_period_s < 0:
        message = f"the grace period must not be negative, not {intent.grace_period_s} s"
        raise ApiError(Reason.BAD_REQUEST, message, kind.kind, target.key.name)
    strategy.check_delete(target.old)
    new = target.copy()
    meta = new.metadata
    _ask_collector(meta, intent.propagation)
    grace_s = strategy.grace_s(intent, target.old)
    if meta.HasField("deletionTimestamp"):
        grace_s = min(grace_s, meta.deletionGracePeriodSeconds)
    if grace_s == 0 and not strategy.held(new):
        return remove(target, kind, situation)
    _mark(new, strategy, grace_s, situation.now)
    if new.SerializeToString(deterministic=True) == target.entry.data:
        return unchanged(target.entry)
    return target.draft(new, kind, [])


def is_due(new: Any, strategy: Strategy) -> bool:
    """Whether a marked object has nothing left to wait for."""
    return not strategy.held(new) and new.metadata.deletionGracePeriodSeconds == 0


def remove(target: Target, kind: Kind, situation: Situation) -> Draft:
    """The draft that makes the object go, with the addresses it had."""
    strategy = strategies.of(kind.resource)
    strategy.check_removal(target.old, situation)
    write = Write(target.key, None, target.entry.revision)
    freed = strategy.releases(target.old, situation)
    return Draft(target.key, (write, *freed), b"", target.entry, target.pinned)


def _ask_collector(meta: Any, propagation: Propagation) -> None:
    """Leave what the garbage collector shall do as a finalizer of its own."""
    kept = [name for name in meta.finalizers if name not in (FOREGROUND, ORPHAN)]
    meta.finalizers[:] = [*kept, *_ASKED_FOR[propagation]]


def _mark(new: Any, strategy: Strategy, grace_s: int, now: float) -> None:
    meta = new.metadata
    marked = meta.HasField("deletionTimestamp")
    if marked and meta.deletionGracePeriodSeconds == grace_s:
        return
    if marked:
        meta.deletionTimestamp.seconds -= meta.deletionGracePeriodSeconds - grace_s
    else:
        metadata.set_time(meta.deletionTimestamp, now + grace_s)
        strategy.mark_deleted(new)
        if meta.HasField("generation"):
            meta.generation += 1
    meta.deletionGracePeriodSeconds = grace_s
