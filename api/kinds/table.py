"""Every kind, and how one is found: by resource, by apiVersion and kind, by a word a person typed.

The rpc layer, the registry, the cache and the CLI look kinds up here. What is known but not
built is in the table too, so that it is refused by its name. Pure module.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import core, network, security, storage, workloads
from holdfast.api.kinds.kind import Kind

if TYPE_CHECKING:
    from google.protobuf.message import Message

_ALL: tuple[Kind, ...] = (
    core.KINDS + workloads.KINDS + network.KINDS + security.KINDS + storage.KINDS
)
_BY_RESOURCE = {kind.resource: kind for kind in _ALL}
_BY_KIND = {(kind.api_version, kind.kind): kind for kind in _ALL}

# Objects of subresources that are not the kind itself: (module under holdfast.api, message).
_SUBRESOURCE_MESSAGES = {
    "scale": ("autoscaling.v1.autoscaling_pb2", "Scale"),
    "binding": ("core.v1.core_pb2", "Binding"),
}


def all_kinds() -> tuple[Kind, ...]:
    """The whole table, built or not; core first."""
    return _ALL


def by_resource(resource: str) -> Kind:
    """The kind of "pods" or "deployments.apps". Raises ApiError NotFound."""
    kind = _BY_RESOURCE.get(resource)
    if kind is None:
        raise _unknown_type(resource)
    return kind


def by_kind(api_version: str, kind: str) -> Kind:
    """The kind an object says it is. Raises ApiError BadRequest that names both words."""
    found = _BY_KIND.get((api_version, kind))
    if found is not None:
        return found
    message = f'no kind "{kind}" is registered for version "{api_version}"'
    others = [other.api_version for other in _ALL if other.kind == kind]
    if others:
        message += f": {kind} is served as {' and '.join(others)}"
    raise ApiError(Reason.BAD_REQUEST, message, kind=kind)


def by_word(word: str) -> Kind:
    """The kind a person means: plural, singular, short name or kind, in any case, with the group
    or version and group after a dot if they like ("deploy", "Deployment", "deployments.v1.apps").

    Raises ApiError NotFound.
    """
    kind = _words().get(word.lower())
    if kind is None:
        raise _unknown_type(word)
    return kind


def by_category(category: str) -> tuple[Kind, ...]:
    """The built kinds of a category, as `get all` wants them."""
    return tuple(kind for kind in _ALL if kind.built and category in kind.categories)


def require_built(kind: Kind) -> Kind:
    """The kind itself. Raises ApiError NotImplemented that names it when it is not built."""
    if not kind.built:
        message = f"{kind.kind} ({kind.api_version}) is not built yet"
        raise ApiError(Reason.NOT_BUILT, message, kind=kind.kind)
    return kind


def subresource_message(kind: Kind, subresource: str) -> type[Message]:
    """The class of what is written to or read from a subresource: a Scale for "scale", a Binding
    for "binding", the kind's own for "" and "status".

    Raises ApiError NotFound when the kind has no such subresource.
    """
    if not subresource:
        return kind.message
    if subresource not in kind.subresources:
        message = f'the server could not find the subresource "{subresource}" of {kind.resource}'
        raise ApiError(Reason.NOT_FOUND, message, kind=kind.kind)
    if subresource not in _SUBRESOURCE_MESSAGES:
        return kind.message
    module, name = _SUBRESOURCE_MESSAGES[subresource]
    found: type[Message] = getattr(import_module(f"holdfast.api.{module}"), name)
    return found


def _unknown_type(word: str) -> ApiError:
    return ApiError(Reason.NOT_FOUND, f'the server doesn\'t have a resource type "{word}"')


@cache
def _words() -> dict[str, Kind]:
    """Every word for every kind. A word two kinds share means the first of the table."""
    found: dict[str, Kind] = {}
    for kind in _ALL:
        for word in (kind.plural, kind.singular, *kind.short_names):
            found.setdefault(word, kind)
            found.setdefault(f"{word}.{kind.group}", kind)
            found.setdefault(f"{word}.{kind.version}.{kind.group}", kind)
    return found
