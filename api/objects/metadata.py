"""Rules for metadata: names, labels, owners, finalizers, and what of it never changes.

Pure module. Called by `strategies` for every kind, before the kind's own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.api import names
from holdfast.api.objects import labels
from holdfast.api.objects.findings import IMMUTABLE

if TYPE_CHECKING:
    from holdfast.api.kinds import Kind
    from holdfast.api.meta.v1 import meta_pb2 as meta
    from holdfast.api.objects.findings import Findings

STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")

NameRule = Callable[[str], str]


def validate(item: meta.ObjectMeta, kind: Kind, rule: NameRule, found: Findings) -> None:
    """Everything in metadata that does not depend on what was there before."""
    _names(item, rule, found)
    if not kind.namespaced:
        if item.namespace:
            found.forbidden("metadata.namespace", "not allowed on this type")
    elif not item.namespace:
        found.required("metadata.namespace")
    elif broken := names.label(item.namespace):
        found.invalid("metadata.namespace", item.namespace, broken)
    if item.labels:
        labels.validate(item.labels, "metadata.labels", found)
    if item.annotations:
        labels.validate_annotations(item.annotations, "metadata.annotations", found)
    if item.ownerReferences:
        _owners(item, found)
    if item.finalizers:
        _finalizers(item, found)


def validate_template(item: meta.ObjectMeta, path: str, found: Findings) -> None:
    """The metadata of a template: only labels and annotations mean something there."""
    labels.validate(item.labels, f"{path}.labels", found)
    labels.validate_annotations(item.annotations, f"{path}.annotations", found)


def validate_update(old: meta.ObjectMeta, new: meta.ObjectMeta, found: Findings) -> None:
    """What the system wrote once stays. An empty new value means "as it is"."""
    for field in ("name", "namespace", "uid"):
        before, after = getattr(old, field), getattr(new, field)
        if after and before != after:
            found.invalid(f"metadata.{field}", after, IMMUTABLE)
    for field in ("creationTimestamp", "deletionTimestamp"):
        was, is_now = getattr(old, field).seconds, getattr(new, field).seconds
        if was and is_now and was != is_now:
            found.invalid(f"metadata.{field}", f"{is_now} s", IMMUTABLE)
    if old.HasField("deletionTimestamp"):
        added = [name for name in new.finalizers if name not in old.finalizers]
        if added:
            detail = "no new finalizers can be added if the object is being deleted, found new "
            found.forbidden("metadata.finalizers", detail + f"finalizers {', '.join(added)}")


def _names(item: meta.ObjectMeta, rule: NameRule, found: Findings) -> None:
    if item.generateName:
        # What is appended ends in a letter or digit, so a trailing '-' or '.' is fine here.
        prefix = item.generateName
        broken = rule(prefix[:-1] + "x" if prefix[-1] in "-." else prefix)
        if broken:
            found.invalid("metadata.generateName", item.generateName, broken)
    if not item.name:
        found.required("metadata.name", "name or generateName is required")
    elif broken := rule(item.name):
        found.invalid("metadata.name", item.name, broken)


def _owners(item: meta.ObjectMeta, found: Findings) -> None:
    controller = ""
    for index, owner in enumerate(item.ownerReferences):
        path = f"metadata.ownerReferences[{index}]"
        for field in ("apiVersion", "kind", "name", "uid"):
            if not getattr(owner, field):
                found.required(f"{path}.{field}")
        if owner.kind == "Event" and owner.apiVersion == "v1":
            found.invalid(path, "v1, Kind=Event", "is disallowed from being an owner")
        if owner.controller and controller:
            detail = "only one reference can have controller set to true, found it in "
            found.invalid(
                "metadata.ownerReferences", owner.name, f"{detail}{controller} and {owner.name}"
            )
        elif owner.controller:
            controller = owner.name


def _finalizers(item: meta.ObjectMeta, found: Findings) -> None:
    for index, name in enumerate(item.finalizers):
        path = f"metadata.finalizers[{index}]"
        if broken := names.qualified(name):
            found.invalid(path, name, broken)
        elif "/" not in name and name not in STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            found.invalid(path, name, detail)
    if "orphan" in item.finalizers and "foregroundDeletion" in item.finalizers:
        detail = 'finalizer "orphan" and "foregroundDeletion" cannot be both set'
        found.invalid("metadata.finalizers", "orphan", detail)
