"""Joins sizes, revisions and progress into one reconcile of a Deployment. Pure module.

At most one write per object and decision: the Deployment's annotations first, its status when
they are right. What a look leaves out comes with the next, which its own writes bring about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.api import kinds, selectors
from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.objects import events, intorstring, owners
from holdfast.control.controllers.decisions import (
    NOTHING,
    WRITES_MAX,
    Decision,
    Key,
    Order,
    Trigger,
    View,
    own_key,
    set_count,
)
from holdfast.control.controllers.deployments import progress, revisions, sizes
from holdfast.control.notes import Note
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.cache import Entry, Update

RESOURCE = revisions.RESOURCE
SETS = "replicasets.apps"
SOURCE = events.Source("deployment-controller")


class Rollout(NamedTuple):
    """A Deployment and its sets. olds: oldest first, those scaled to nothing included."""

    deployment: apps.Deployment
    new: Entry | None
    olds: list[Entry]
    wish: sizes.Wish

    @property
    def every(self) -> list[Entry]:
        """All its sets."""
        return [*self.olds, *([self.new] if self.new else [])]


class Deployments:
    """The controller. It keeps nothing between two looks."""

    name = "deployment-controller"
    interval_s = 0.025

    def __init__(self) -> None:
        self.triggers: Mapping[str, Trigger] = {
            RESOURCE: own_key,
            SETS: _set_changed,
            "pods": _pod_gone,
        }

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        """The next step of the Deployment's rollout, or of its scaling."""
        entry = view.get(RESOURCE, key.namespace, key.name)
        if entry is None:
            return NOTHING
        rollout = _look(view, entry.message)
        if entry.message.metadata.HasField("deletionTimestamp"):
            return Decision(_status(rollout, now)[0])
        belonging = _belonging(view, entry.message)
        if belonging:
            return Decision(belonging)
        orders = _step(view, rollout)
        renumbered = _renumbered(entry, rollout)
        if renumbered is not None:
            return Decision([*orders, Order(renumbered)])
        status, judged = _status(rollout, now, orders)
        if judged.complete:
            orders += [
                _history_gone(old) for old in revisions.surplus(rollout.deployment, rollout.olds)
            ]
        return Decision((orders + status)[:WRITES_MAX], judged.again_at)


def _look(view: View, deployment: apps.Deployment) -> Rollout:
    owned = list(view.by_index(SETS, "owner", deployment.metadata.uid))
    owned.sort(key=revisions.age)
    new = revisions.newest(deployment, owned)
    olds = [entry for entry in owned if entry is not new]
    spec = deployment.spec
    replicas = spec.replicas
    if spec.strategy.type == "Recreate":
        return Rollout(deployment, new, olds, sizes.Wish(replicas, 0, replicas))
    rolling = spec.strategy.rollingUpdate
    surge = intorstring.resolve(rolling.maxSurge, replicas, round_up=True)
    missing = intorstring.resolve(rolling.maxUnavailable, replicas, round_up=False)
    return Rollout(deployment, new, olds, sizes.bounds(replicas, surge, missing))


def _step(view: View, rollout: Rollout) -> list[Order]:
    """Create the new set, resize, or bring the new set's annotations up to date."""
    deployment, new, olds, wish = rollout
    rolling = deployment.spec.strategy.type != "Recreate"
    new_set = _as_set(new) if new else None
    old_sets = [_as_set(old) for old in olds]
    if deployment.spec.paused or _is_resized(rollout):
        wanted = sizes.scaled(wish, new_set, old_sets, rolling=rolling)
        if wanted or deployment.spec.paused:
            return _resizes(rollout, wanted)
    if new is None or new_set is None:
        return _created(view, rollout, old_sets)
    if rolling:
        wanted = sizes.rolled(wish, new_set, old_sets)
    else:
        left = any(_has_pods(view, old) for old in olds)
        wanted = sizes.recreated(wish, new_set, old_sets, left)
    return _resizes(rollout, wanted)


def _created(view: View, rollout: Rollout, old_sets: list[sizes.Set]) -> list[Order]:
    """Create the set of the new template; a recreation first takes the old ones away."""
    deployment, _new, olds, wish = rollout
    fresh = sizes.Set("", 0, 0, 0)
    if deployment.spec.strategy.type == "Recreate":
        going = sizes.recreated(wish, None, old_sets, old_pods_left=True)
        if going or any(_has_pods(view, old) for old in olds):
            return _resizes(rollout, going)
        replicas = wish.replicas
    else:
        replicas = sizes.grow(wish, fresh, old_sets)
    name = revisions.name_of(deployment)
    foreign = view.get(SETS, deployment.metadata.namespace, name)
    if foreign is not None:
        return [_collision(deployment)]
    made = revisions.build(deployment, replicas, wish, revisions.next_revision(olds))
    intent = Intent(Verb.CREATE, SETS, made.metadata.namespace, name, made)
    text = f"Scaled up replica set {name} from 0 to {replicas}"
    failed = f'Failed to create new replica set "{name}": {{error}}'
    return [
        Order(
            intent,
            _note(deployment, "ScalingReplicaSet", text) if replicas else None,
            _note(deployment, "ReplicaSetCreateError", failed, events.Severity.WARNING),
        )
    ]


def _resizes(rollout: Rollout, wanted: sizes.Sizes) -> list[Order]:
    """Write new sizes; and, for sets that keep theirs, what is out of date in the annotations."""
    deployment, new, _olds, wish = rollout
    number = revisions.next_revision(rollout.olds)
    orders = []
    for entry in rollout.every:
        before = entry.message.spec.replicas
        after = wanted.get(entry.key.name, before)
        changed = apps.ReplicaSet()
        changed.CopyFrom(entry.message)
        if entry is new:
            revisions.annotate(changed, deployment, wish, number)
            set_count(changed.spec, "minReadySeconds", deployment.spec.minReadySeconds)
        if before or after:
            revisions.resize(changed, wish)
        changed.spec.replicas = after
        if changed == entry.message:
            continue
        note = None
        if after != before:
            way = "up" if after > before else "down"
            text = f"Scaled {way} replica set {entry.key.name} from {before} to {after}"
            note = _note(deployment, "ScalingReplicaSet", text)
        intent = Intent(Verb.UPDATE, *entry.key, message=changed, expect_revision=entry.revision)
        orders.append(Order(intent, note))
    return orders


def _is_resized(rollout: Rollout) -> bool:
    """Whether a set with replicas was sized for another size of the Deployment."""
    return any(
        entry.message.spec.replicas
        and revisions.DESIRED in entry.message.metadata.annotations
        and revisions.number(entry.message, revisions.DESIRED) != rollout.wish.replicas
        for entry in rollout.every
    )


def _renumbered(entry: Entry, rollout: Rollout) -> Intent | None:
    """The Deployment carries the revision of its new set: the write that says so."""
    if rollout.new is None:
        return None
    number = max(revisions.revision(rollout.new.message), revisions.next_revision(rollout.olds))
    if revisions.revision(rollout.deployment) == number:
        return None
    changed = apps.Deployment()
    changed.CopyFrom(rollout.deployment)
    changed.metadata.annotations[revisions.REVISION] = str(number)
    return Intent(Verb.UPDATE, *entry.key, message=changed, expect_revision=entry.revision)


def _status(
    rollout: Rollout, now: float, orders: Iterable[Order] = ()
) -> tuple[list[Order], progress.Progress]:
    deployment = rollout.deployment
    judged = progress.judge(deployment, rollout.new, rollout.olds, rollout.wish, now)
    for order in orders:
        if order.intent.resource == RESOURCE:  # the collision count is written alone
            return [], judged
    if judged.status == deployment.status:
        return [], judged
    meta = deployment.metadata
    message = apps.Deployment(status=judged.status)
    intent = Intent(
        Verb.UPDATE, RESOURCE, meta.namespace, meta.name, message, "status", uid=meta.uid
    )
    return [Order(intent)], judged


def _collision(deployment: apps.Deployment) -> Order:
    """A set of that name has another template: the next hash takes another name."""
    message = apps.Deployment(status=deployment.status)
    message.status.collisionCount = deployment.status.collisionCount + 1
    meta = deployment.metadata
    return Order(
        Intent(Verb.UPDATE, RESOURCE, meta.namespace, meta.name, message, "status", uid=meta.uid)
    )


def _belonging(view: View, deployment: apps.Deployment) -> list[Order]:
    """Adopt sets that match the selector and belong to nobody; release those that do not match."""
    selector = selectors.from_message(deployment.spec.selector)
    reference = owners.controller_reference(kinds.by_resource(RESOURCE), deployment)
    orders = []
    for entry in view.list(SETS, deployment.metadata.namespace):
        meta = entry.message.metadata
        owner = owners.controller_of(meta)
        matches = selector.matches(meta.labels) and not meta.HasField("deletionTimestamp")
        if owner is None and matches:
            orders.append(_rewritten(entry, lambda refs: refs.append(reference)))
        elif owner is not None and owner.uid == reference.uid and not selector.matches(meta.labels):
            orders.append(_rewritten(entry, _without(reference.uid)))
    return orders[:WRITES_MAX]


def _rewritten(entry: Entry, change: Callable[[Any], None]) -> Order:
    copy = apps.ReplicaSet()
    copy.CopyFrom(entry.message)
    change(copy.metadata.ownerReferences)
    return Order(Intent(Verb.UPDATE, *entry.key, message=copy, expect_revision=entry.revision))


def _without(uid: str) -> Callable[[Any], None]:
    def change(references: Any) -> None:
        kept = [reference for reference in references if reference.uid != uid]
        del references[:]
        references.extend(kept)

    return change


def _history_gone(old: Entry) -> Order:
    return Order(Intent(Verb.DELETE, *old.key, uid=old.message.metadata.uid))


def _has_pods(view: View, old: Entry) -> bool:
    """Whether any pod of a set is still there, also one on its way out."""
    pods = view.by_index("pods", "owner", old.message.metadata.uid)
    return any(pod.message.status.phase not in ("Succeeded", "Failed") for pod in pods)


def _as_set(entry: Entry) -> sizes.Set:
    """The set in numbers. Pods above its size are about to go: they count as available no more,
    though its status still says so."""
    message = entry.message
    return sizes.Set(
        entry.key.name,
        message.spec.replicas,
        min(message.status.availableReplicas, message.spec.replicas),
        message.metadata.creationTimestamp.seconds,
        revisions.number(message, revisions.MAXIMUM),
    )


def _note(
    deployment: apps.Deployment,
    reason: str,
    message: str,
    severity: events.Severity = events.Severity.NORMAL,
) -> Note:
    about = events.reference(kinds.by_resource(RESOURCE), deployment)
    return Note(about, events.News(severity, reason, message), SOURCE)


def _set_changed(view: View, update: Update) -> Iterable[Key]:
    """The owners of a changed set; for one that nobody owns, who may want it."""
    keys: dict[Key, None] = {}
    for entry in (update.old, update.new):
        if entry is not None:
            owner = owners.controller_of(entry.message.metadata)
            if owner is not None and owner.kind == "Deployment":
                keys[Key(entry.key.namespace, owner.name)] = None
    if update.new is not None and not keys:
        labels = update.new.message.metadata.labels
        for entry in view.list(RESOURCE, update.new.key.namespace):
            if selectors.from_message(entry.message.spec.selector).matches(labels):
                keys[Key(*entry.key[1:])] = None
    return keys


def _pod_gone(view: View, update: Update) -> Iterable[Key]:
    """A recreation waits for the last pod of its old sets."""
    if update.new is not None or update.old is None:
        return ()
    owner = owners.controller_of(update.old.message.metadata)
    if owner is None or owner.kind != "ReplicaSet":
        return ()
    namespace = update.old.key.namespace
    entry = view.get(SETS, namespace, owner.name)
    above = owners.controller_of(entry.message.metadata) if entry else None
    if above is None:
        return ()
    deployment = view.get(RESOURCE, namespace, above.name)
    if deployment is None or deployment.message.spec.strategy.type != "Recreate":
        return ()
    return (Key(namespace, above.name),)
