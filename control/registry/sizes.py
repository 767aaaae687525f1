"""How large an object may be. Pure module."""

from __future__ import annotations

from typing import Any

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind

OBJECT_BYTES_MAX = 1_572_864
"""1.5 MiB, etcd's and so Kubernetes' own bound."""


def serialized(message: Any, kind: Kind) -> bytes:
    """The bytes to store: equal objects have equal bytes.

    Raises ApiError RequestEntityTooLarge.
    """
    data: bytes = message.SerializeToString(deterministic=True)
    if len(data) > OBJECT_BYTES_MAX:
        name = message.metadata.name
        text = (
            f'{kind.kind} "{name}" is too large: {len(data):,} bytes, '
            f"at most {OBJECT_BYTES_MAX:,} (1.5 MiB)"
        )
        raise ApiError(Reason.TOO_LARGE, text, kind.kind, name)
    return data
