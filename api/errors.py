"""The one error that crosses a door: what was refused, why, and which field caused it.

Every program raises and shows these; `wire` turns one into a gRPC status and back. The reasons,
and the HTTP code each stands for, are those of Kubernetes' Status (meta/v1), so the REST gateway
and the CLI say the same words. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from holdfast.api.meta.v1 import meta_pb2


class Reason(StrEnum):
    """Status.reason; the comment is the HTTP code."""

    BAD_REQUEST = "BadRequest"  # 400
    UNAUTHORIZED = "Unauthorized"  # 401
    FORBIDDEN = "Forbidden"  # 403
    NOT_FOUND = "NotFound"  # 404
    METHOD_NOT_ALLOWED = "MethodNotAllowed"  # 405
    ALREADY_EXISTS = "AlreadyExists"  # 409
    CONFLICT = "Conflict"  # 409
    EXPIRED = "Expired"  # 410: the revision is below the history floor
    TOO_LARGE = "RequestEntityTooLarge"  # 413
    INVALID = "Invalid"  # 422
    TOO_MANY_REQUESTS = "TooManyRequests"  # 429
    INTERNAL = "InternalError"  # 500
    NOT_BUILT = "NotImplemented"  # 501: named by the schema, refused because it would do nothing
    UNAVAILABLE = "ServiceUnavailable"  # 503
    NOT_LEADER = "NotLeader"  # 503: another control node takes writes
    UNKNOWN_OUTCOME = "UnknownOutcome"  # 503: it may or may not have happened
    TIMEOUT = "Timeout"  # 504


CODES: dict[Reason, int] = {
    Reason.BAD_REQUEST: 400,
    Reason.UNAUTHORIZED: 401,
    Reason.FORBIDDEN: 403,
    Reason.NOT_FOUND: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.ALREADY_EXISTS: 409,
    Reason.CONFLICT: 409,
    Reason.EXPIRED: 410,
    Reason.TOO_LARGE: 413,
    Reason.INVALID: 422,
    Reason.TOO_MANY_REQUESTS: 429,
    Reason.INTERNAL: 500,
    Reason.NOT_BUILT: 501,
    Reason.UNAVAILABLE: 503,
    Reason.NOT_LEADER: 503,
    Reason.UNKNOWN_OUTCOME: 503,
    Reason.TIMEOUT: 504,
}


class CauseReason(StrEnum):
    """StatusCause.reason: what is wrong with one field."""

    REQUIRED = "FieldValueRequired"
    INVALID = "FieldValueInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    DUPLICATE = "FieldValueDuplicate"
    FORBIDDEN = "FieldValueForbidden"
    TOO_LONG = "FieldValueTooLong"
    TYPE_INVALID = "FieldValueTypeInvalid"
    NOT_BUILT = "FieldNotBuilt"
    ELSEWHERE = "ServedElsewhere"  # no field is wrong: message is an address of who serves this


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong. `field` is its path in JSON, `spec.containers[0].image`."""

    reason: CauseReason
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal. `message` is one clear sentence for the person who caused it.

    kind and name say which object ("Pod", "web-1"), empty when the request itself is wrong.
    """

    reason: Reason
    message: str
    kind: str = ""
    name: str = ""
    causes: tuple[Cause, ...] = field(default=())
    retry_after_s: int = 0

    def __str__(self) -> str:
        return self.message

    @property
    def code(self) -> int:
        """The HTTP code of the reason."""
        return CODES[self.reason]


def invalid(kind: str, name: str, causes: Iterable[Cause]) -> ApiError:
    """An Invalid error from the causes found in one object (at least one)."""
    found = tuple(causes)
    text = str(found[0]) if len(found) == 1 else "[" + ", ".join(map(str, found)) + "]"
    return ApiError(Reason.INVALID, f'{kind} "{name}" is invalid: {text}', kind, name, found)


def not_found(resource: str, name: str) -> ApiError:
    """The object is not there. resource: "pods" or "deployments.apps"."""
    return ApiError(Reason.NOT_FOUND, f'{resource} "{name}" not found', resource, name)


def already_exists(resource: str, name: str) -> ApiError:
    """The name is taken."""
    return ApiError(Reason.ALREADY_EXISTS, f'{resource} "{name}" already exists', resource, name)


def conflict(resource: str, name: str, why: str) -> ApiError:
    """A precondition did not hold. why: the rest of the sentence."""
    message = f'operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(Reason.CONFLICT, message, resource, name)


def not_leader(message: str, addresses: Iterable[str] = ()) -> ApiError:
    """Another control node takes this. addresses: its mutual-TLS listeners; none = nobody leads
    at this moment."""
    causes = tuple(Cause(CauseReason.ELSEWHERE, "", address) for address in addresses)
    return ApiError(Reason.NOT_LEADER, message, causes=causes)


def leader_addresses(error: ApiError) -> tuple[str, ...]:
    """The addresses in an error that `not_leader` made; () for every other one."""
    return tuple(c.message for c in error.causes if c.reason is CauseReason.ELSEWHERE)


def to_status(error: ApiError) -> meta_pb2.Status:
    """The error as Kubernetes' Status message."""
    status = meta_pb2.Status(
        status="Failure", message=error.message, reason=error.reason, code=error.code
    )
    if error.kind or error.name or error.causes or error.retry_after_s:
        details = status.details
        details.kind, details.name = error.kind, error.name
        details.retryAfterSeconds = error.retry_after_s
        for cause in error.causes:
            details.causes.add(reason=cause.reason, message=cause.message, field=cause.field)
    return status


def from_status(status: meta_pb2.Status) -> ApiError:
    """The error that `to_status` wrote; an unknown reason becomes InternalError."""
    details = status.details
    causes = tuple(
        Cause(_cause_reason(cause.reason), cause.field, cause.message) for cause in details.causes
    )
    known = status.reason in Reason.__members__.values()
    reason = Reason(status.reason) if known else Reason.INTERNAL
    return ApiError(
        reason, status.message, details.kind, details.name, causes, details.retryAfterSeconds
    )


def _cause_reason(text: str) -> CauseReason:
    known = text in CauseReason.__members__.values()
    return CauseReason(text) if known else CauseReason.INVALID
