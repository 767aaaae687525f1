"""The three-way merge of client-side apply: what `apply` sends and `diff` shows.

The object as it was last applied stands in kubectl's own annotation, so that both tools may
apply the same object in turn. Pure module.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from holdfast.api import codec, patches
from holdfast.api.errors import ApiError, Reason

if TYPE_CHECKING:
    from holdfast.cli.input.manifests import Manifest

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def annotated(manifest: Manifest) -> Any:
    """The object to create: as written, with the annotation."""
    message = type(manifest.message)()
    message.CopyFrom(manifest.message)
    message.metadata.annotations[LAST_APPLIED] = _last_applied(manifest.tree)
    return message


def patch_of(manifest: Manifest, current: Any) -> dict[str, Any]:
    """The strategic merge patch from what is there to what the file says; {} when equal.

    Raises ApiError when the annotation that is there is no JSON object.
    """
    there = codec.to_json(current, manifest.kind)
    modified = copy.deepcopy(manifest.tree)
    metadata = modified.setdefault("metadata", {})
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        LAST_APPLIED: _last_applied(manifest.tree),
    }
    return patches.three_way(_original(current), modified, there, manifest.kind.message)


def to_bytes(patch: dict[str, Any]) -> bytes:
    """A patch as the body of a request."""
    return json.dumps(patch).encode()


def _original(current: Any) -> dict[str, Any]:
    """What the annotation says; {} for an object that was never applied."""
    text = current.metadata.annotations.get(LAST_APPLIED, "")
    try:
        tree = json.loads(text or "{}")
    except ValueError:
        tree = None
    if not isinstance(tree, dict):
        message = f"the annotation {LAST_APPLIED} of {current.metadata.name} is no JSON object"
        raise ApiError(Reason.INVALID, message)
    return tree


def _last_applied(tree: dict[str, Any]) -> str:
    """What the annotation keeps: the object as written, without the annotation itself."""
    kept = copy.deepcopy(tree)
    annotations = kept.setdefault("metadata", {}).get("annotations") or {}
    annotations.pop(LAST_APPLIED, None)
    return json.dumps(kept, separators=(",", ":"), sort_keys=True) + "\n"
