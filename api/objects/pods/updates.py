"""What of a pod may change once it exists. Pure module.

A running pod is what its spec said when it was created; only the fields below can be changed in
place. A binding sets spec.nodeName by its own way (subresource "binding"), not through here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api.objects import changes

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.objects.findings import Findings

_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`, "
    "`spec.initContainers[*].image`, `spec.tolerations` (only additions to existing tolerations)"
)


def validate(old: core.Pod, new: core.Pod, found: Findings) -> None:
    """Everything in the spec stays, but for images and added tolerations."""
    if old.spec == new.spec:
        return
    for field in ("containers", "initContainers"):
        if len(getattr(old.spec, field)) != len(getattr(new.spec, field)):
            found.forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    kept = list(new.spec.tolerations)
    if any(toleration not in kept for toleration in old.spec.tolerations):
        found.forbidden("spec.tolerations", _RULE)
    path = changes.first(old.spec, _with_changeable_of(old.spec, new.spec), "spec")
    if path:
        found.forbidden(path, _RULE)


def _with_changeable_of(old: core.PodSpec, new: core.PodSpec) -> core.PodSpec:
    """The new spec with the old one's changeable fields put back: equal to the old when nothing
    else was touched."""
    spec = type(new)()
    spec.CopyFrom(new)
    for field in ("containers", "initContainers"):
        for before, after in zip(getattr(old, field), getattr(spec, field), strict=True):
            if before.HasField("image"):
                after.image = before.image
            else:
                after.ClearField("image")
    spec.ClearField("tolerations")
    spec.tolerations.extend(old.tolerations)
    return spec
