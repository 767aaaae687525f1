"""May this caller do that? One function, `decide`, guards every read and every write.

Two rules: the administrators' group may do all; a node may do what its agents need and change only
what is its own (promise I9; the rules stand in `nodes`). Everybody else may do nothing. Called by
the services before they do anything else. Who is no administrator is judged by the object that is
there; the writer then pins its uid, so a write reaches no other object of that name. Pure module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from holdfast.api.identity import ADMINS, Identity
from holdfast.control.access.nodes import objection
from holdfast.control.access.request import Request, View


class Details(TypedDict, total=False):
    """The keyword arguments of `decide`: the fields of Request."""

    namespace: str
    name: str
    subresource: str
    fields_required: Mapping[str, str]
    old: Any
    new: Any
    view: View | None


@dataclass(frozen=True, slots=True)
class Decision:
    """allowed, or the reason: the whole sentence for a Forbidden error."""

    allowed: bool
    reason: str = ""


ALLOWED = Decision(True)


def decide(identity: Identity, verb: str, resource: str, **details: Unpack[Details]) -> Decision:
    """Judge one request; see Request for the arguments. The cache is the view."""
    if ADMINS in identity.groups:
        return ALLOWED
    request = Request(verb, resource, **details)
    why = objection(identity.node, request) if identity.node else "it has no rights"
    return ALLOWED if why is None else Decision(False, _sentence(identity, request, why))


def _sentence(identity: Identity, request: Request, why: str) -> str:
    """Kubernetes' wording, and why."""
    plural, _, group = request.resource.partition(".")
    what = f'{request.resource} "{request.name}"' if request.name else request.resource
    whole = f"{plural}/{request.subresource}" if request.subresource else plural
    where = (
        f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    )
    return (
        f'{what} is forbidden: User "{identity.name}" cannot {request.verb} resource "{whole}" '
        f'in API group "{group}" {where}: {why}'
    )
