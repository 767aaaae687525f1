"""Patch: the object as JSON, changed, and written like any update.

A patch says how to change whatever is there, so when the object moved meanwhile the patch is made
again from the new one, a bounded number of times; unless the patch itself names a revision.
"""

from __future__ import annotations

import hashlib
from typing import Any

from holdfast.api import codec, kinds, patches
from holdfast.api.errors import ApiError, Reason, not_found
from holdfast.api.identity import Identity
from holdfast.api.kinds import Kind
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.control.cache import Cache, Entry
from holdfast.control.registry import Intent, Verb
from holdfast.control.rpc.objects.reading import shown
from holdfast.control.rpc.objects.writing import Writer

ATTEMPTS_MAX = 5


class Patcher:
    """The Patch method of the Resources service."""

    def __init__(self, cache: Cache, writer: Writer) -> None:
        self._cache = cache
        self._writer = writer

    async def patch(
        self, request: resources_pb2.PatchRequest, identity: Identity
    ) -> resources_pb2.ObjectReply:
        """An object, or a part of it, changed as the patch says."""
        kind = kinds.require_built(kinds.by_resource(request.resource))
        message_type: Any = kinds.subresource_message(kind, request.subresource)
        patch = codec.load_json(request.patch)
        options = resources_pb2.WriteOptions()
        options.CopyFrom(request.options)
        attempt = 0
        while True:
            entry = self._entry(request, identity)
            message, pinned = _patched(kind, message_type, entry, request, patch)
            intent = self._writer.allowed(
                identity, "patch", _intent(request, message, entry.revision)
            )
            options.request_id = _id_of_attempt(request.options.request_id, attempt)
            try:
                return await self._writer.write(intent, identity, options)
            except ApiError as error:
                attempt += 1
                if error.reason is not Reason.CONFLICT or pinned or attempt == ATTEMPTS_MAX:
                    raise

    def _entry(self, request: resources_pb2.PatchRequest, identity: Identity) -> Entry:
        """What is there. The caller is judged before it can learn anything from a patch."""
        entry = self._cache.get(request.resource, request.namespace, request.name)
        old = None if entry is None else entry.message
        self._writer.allowed(identity, "patch", _intent(request, old, None))
        if entry is None:
            raise not_found(request.resource, request.name)
        return entry


def _intent(request: resources_pb2.PatchRequest, message: Any, expect: int | None) -> Intent:
    return Intent(
        Verb.UPDATE,
        request.resource,
        request.namespace,
        request.name,
        message,
        request.subresource,
        expect_revision=expect,
    )


def _patched(
    kind: Kind,
    message_type: Any,
    entry: Entry,
    request: resources_pb2.PatchRequest,
    patch: Any,
) -> tuple[Any, bool]:
    """The message after the patch, and whether the patch names the revision it is for."""
    before = message_type.FromString(shown(entry, request.subresource))
    same_kind = message_type is kind.message
    tree = codec.to_json(before, kind) if same_kind else codec.to_json(before)
    header = {key: tree.get(key) for key in ("apiVersion", "kind")}
    tree = _applied(request.type, tree, patch, message_type)
    if not isinstance(tree, dict):
        raise ApiError(Reason.BAD_REQUEST, "the patch leaves something that is not an object")
    for key, value in header.items():
        if tree.pop(key, value) != value and same_kind:
            raise ApiError(Reason.BAD_REQUEST, f"a patch cannot change {key}", kind.kind)
    after, causes = codec.from_json(message_type, tree, strict=True)
    if causes:
        text = ", ".join(str(cause) for cause in causes)
        message = f"strict decoding error: {text}"
        raise ApiError(Reason.BAD_REQUEST, message, kind.kind, request.name, tuple(causes))
    sent: Any = after
    named = sent.metadata.resourceVersion
    if named and named != before.metadata.resourceVersion:
        why = f"the patch is for resourceVersion {named}, but the object has "
        raise _stale(kind, request.name, why + before.metadata.resourceVersion)
    sent.metadata.ClearField("resourceVersion")
    return sent, _names_revision(patch)


def _stale(kind: Kind, name: str, why: str) -> ApiError:
    message = f'operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return ApiError(Reason.CONFLICT, message, kind.resource, name)


def _names_revision(patch: Any) -> bool:
    """Whether the patch sets metadata.resourceVersion (a JSON patch: or tests it)."""
    if isinstance(patch, dict):
        metadata = patch.get("metadata")
        return isinstance(metadata, dict) and "resourceVersion" in metadata
    paths = [step.get("path") for step in patch if isinstance(step, dict)]
    return "/metadata/resourceVersion" in paths


def _applied(type_: int, tree: dict[str, Any], patch: Any, message_type: Any) -> Any:
    if type_ == resources_pb2.JSON_PATCH:
        if not isinstance(patch, list):
            raise ApiError(Reason.BAD_REQUEST, "a JSON patch is a list of operations (RFC 6902)")
        return patches.json_patch(tree, patch)
    if not isinstance(patch, dict):
        raise ApiError(Reason.BAD_REQUEST, "a merge patch is a JSON object (RFC 7386)")
    if type_ == resources_pb2.MERGE_PATCH:
        return patches.merge_patch(tree, patch)
    if type_ == resources_pb2.STRATEGIC_PATCH:
        return patches.strategic_patch(tree, patch, message_type)
    raise ApiError(Reason.BAD_REQUEST, f"unknown patch type {type_}")


def _id_of_attempt(request_id: bytes, attempt: int) -> bytes:
    """Each attempt is a commit of its own; a repeat of the request has the same ids again."""
    if not request_id or attempt == 0:
        return request_id
    return hashlib.blake2b(request_id + b"patch%d" % attempt, digest_size=16).digest()
