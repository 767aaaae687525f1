"""The node lifecycle: taints that follow from a node's state, and the pods that must leave it.

`sessions` judges whether a node lives and writes Ready=Unknown with the taint `unreachable`. Here
a node that says it is not ready, or is cordoned, gets the taints that say so, and pods leave a node
as `evictions` rules. From a dead node they are removed without waiting for it, so that their
replacements start at once; what stays on it is marked not ready, so that no service sends to it.
A node that is gone takes its pods along. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.api import kinds
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import events, readiness, taints
from holdfast.control.cache.indexes import NODE_AT
from holdfast.control.controllers import evictions
from holdfast.control.controllers.decisions import WRITES_MAX, Decision, Key, Order, Trigger, View
from holdfast.control.notes import Note
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.cache import Entry, Update

RESOURCE = "nodes"
SOURCE = events.Source("node-controller")
GONE_S = 40.0
"""A pod younger than this waits for its node to appear (Kubernetes' quarantine)."""
FOLLOWING = (
    (taints.NOT_READY, taints.NO_SCHEDULE),
    (taints.NOT_READY, taints.NO_EXECUTE),
    (taints.UNSCHEDULABLE, taints.NO_SCHEDULE),
)
"""The taints kept here: (key, effect)."""


class NodeLifecycle:
    """The controller. A key's name is a node's."""

    name = "node-lifecycle"
    interval_s = 0.0

    def __init__(self) -> None:
        self.triggers: Mapping[str, Trigger] = {RESOURCE: _node_changed, "pods": _pod_came}

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        """Taint the node as it deserves, and make pods leave."""
        entry = view.get(RESOURCE, "", key.name)
        pods = view.by_index("pods", "spec.nodeName", key.name)
        if entry is None:
            return _abandoned(pods, now)
        tainted = _tainted(entry, now)
        if tainted is not None:
            return Decision([tainted], now)
        if not evictions.no_execute(entry.message):
            return Decision()
        return _leaving(entry.message, pods, now)


def _node_changed(_view: View, update: Update) -> Iterable[Key]:
    """A node came, went, or changed in what is judged here (not by every report)."""
    old, new = update.old, update.new
    entry = new or old
    if entry is None:
        return ()
    if old is not None and new is not None:
        same_ready = _ready(old.message) == _ready(new.message)
        if same_ready and old.message.spec == new.message.spec:
            return ()
    return (Key("", entry.key.name),)


def _pod_came(view: View, update: Update) -> Iterable[Key]:
    """A pod was bound to a node that is tainted or not there."""
    if update.new is None:
        return ()
    name = update.new.indexed[NODE_AT]
    if not name or (update.old is not None and update.old.indexed[NODE_AT] == name):
        return ()
    node = view.get(RESOURCE, "", name)
    if node is not None and not evictions.no_execute(node.message):
        return ()
    return (Key("", name),)


def _ready(node: core.Node) -> str:
    found = readiness.condition(node.status.conditions, "Ready")
    return str(found.status) if found is not None else ""


def _tainted(entry: Entry, now: float) -> Order | None:
    """The write that brings the taints kept here up to date, None when they are right."""
    node: core.Node = entry.message
    ready = _ready(node)
    wanted: dict[tuple[str, str], None] = {}
    if ready not in ("True", "Unknown"):
        wanted[FOLLOWING[0]] = None
    if ready == "False":
        wanted[FOLLOWING[1]] = None
    if node.spec.unschedulable:
        wanted[FOLLOWING[2]] = None
    kept = [each for each in node.spec.taints if _place(each) not in FOLLOWING]
    there = [each for each in node.spec.taints if _place(each) in wanted]
    present = {_place(each): None for each in there}
    missing = [place for place in wanted if place not in present]
    if not missing and len(kept) + len(there) == len(node.spec.taints):
        return None
    changed = core.Node()
    changed.CopyFrom(node)
    del changed.spec.taints[:]
    changed.spec.taints.extend([*kept, *there])
    for key, effect in missing:
        changed.spec.taints.add(key=key, effect=effect).timeAdded.seconds = int(now)
    intent = Intent(Verb.UPDATE, *entry.key, message=changed, expect_revision=entry.revision)
    if FOLLOWING[1] not in missing:
        return Order(intent)
    return Order(intent, _note(RESOURCE, node, "NodeNotReady", "Node {name} is not ready"))


def _place(taint: core.Taint) -> tuple[str, str]:
    return (taint.key, taint.effect)


def _leaving(node: core.Node, pods: Iterable[Entry], now: float) -> Decision:
    """The pods whose time on the node is over, and when the next one's will be."""
    dead = evictions.is_dead(node)
    orders: list[Order] = []
    again_at: float | None = None
    for entry in pods:
        if len(orders) >= WRITES_MAX:
            return Decision(orders, now)
        pod: core.Pod = entry.message
        forced = dead and evictions.is_replaced(pod)
        due = evictions.due_at(pod, node)
        if due is not None and due > now:
            again_at = due if again_at is None else min(again_at, due)
        elif due is not None and (forced or not pod.metadata.HasField("deletionTimestamp")):
            orders.append(_eviction(entry, forced=forced))
            continue
        if dead:
            orders += _unready(entry, now)
    return Decision(orders, again_at)


def _abandoned(pods: Iterable[Entry], now: float) -> Decision:
    """The pods of a node that is not there: removed, once they are old enough."""
    orders: list[Order] = []
    again_at: float | None = None
    for entry in pods:
        if len(orders) >= WRITES_MAX:
            return Decision(orders, now)
        due = entry.message.metadata.creationTimestamp.seconds + GONE_S
        if due <= now:
            orders.append(_eviction(entry, forced=True))
        else:
            again_at = due if again_at is None else min(again_at, due)
    return Decision(orders, again_at)


def _eviction(entry: Entry, *, forced: bool) -> Order:
    pod: core.Pod = entry.message
    intent = Intent(
        Verb.DELETE, *entry.key, uid=pod.metadata.uid, grace_period_s=0 if forced else None
    )
    text = f"Deleted because node {pod.spec.nodeName} is gone, dead, or tainted against it"
    return Order(intent, _note("pods", pod, "TaintManagerEviction", text))


def _unready(entry: Entry, now: float) -> list[Order]:
    """Mark a pod that stays on a dead node: it gets no traffic."""
    pod: core.Pod = entry.message
    if not readiness.pod_ready(pod):
        return []
    message = core.Pod(status=pod.status)
    readiness.set_condition(
        message.status.conditions, "Ready", "False", now, "NodeUnreachable", "Its node is dead"
    )
    intent = Intent(
        Verb.UPDATE,
        *entry.key,
        message=message,
        subresource="status",
        expect_revision=entry.revision,
        uid=pod.metadata.uid,
    )
    return [Order(intent)]


def _note(resource: str, message: core.Node | core.Pod, reason: str, text: str) -> Note:
    about = events.reference(kinds.by_resource(resource), message)
    return Note(about, events.News(events.Severity.NORMAL, reason, text), SOURCE)
