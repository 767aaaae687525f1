"""gRPC's forms in header fields: requests, status, metadata, deadlines.

Pure module. (gRPC over HTTP/2, "Requests" and "Responses"; percent-encoding of messages there.)
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote

from holdfast.api.transport import fields
from holdfast.api.transport.fields import Block, Field

Metadata = tuple[tuple[str, str | bytes], ...]

_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_RESERVED = (b":", b"grpc-")
_OWN = frozenset((b"content-type", b"te", b"user-agent"))
_DETAIL_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class Request(NamedTuple):
    """What a client asks for. timeout_s: from now on; None = as long as it takes.
    refused: the HTTP status with which a request that is no gRPC is answered, b"" = it is one."""

    path: str
    metadata: Metadata
    timeout_s: float | None
    refused: bytes


class Status(NamedTuple):
    """How a call ended. code: gRPC's number, 0 = well."""

    code: int
    details: str
    metadata: Metadata


def request(block: Block) -> Request:
    """A request's fields as the call they ask for; kept in the block, which comes again."""
    known = block.meaning
    if isinstance(known, Request):
        return known
    named = dict(block.fields)
    refused = b""
    if named.get(b":method") != b"POST":
        refused = b"405"
    elif not named.get(b"content-type", b"").startswith(b"application/grpc"):
        refused = b"415"
    path = named.get(b":path", b"").decode(errors="replace")
    timeout_s = _timeout(named.get(b"grpc-timeout"))
    asked = Request(path, metadata(block.fields), timeout_s, refused)
    block.meaning = asked
    return asked


def request_fields(path: str, authority: str, scheme: str) -> list[Field]:
    """The fields of every call of a method, without its metadata and deadline."""
    return [
        (b":method", b"POST"),
        (b":scheme", scheme.encode()),
        (b":path", path.encode()),
        (b":authority", authority.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"grpc-python-holdfast"),
    ]


def metadata(received: Iterable[Field]) -> Metadata:
    """The user's part of header fields; binary values as bytes."""
    found: list[tuple[str, str | bytes]] = []
    for name, value in received:
        if name.startswith(_RESERVED) or name in _OWN:
            continue
        if name.endswith(b"-bin"):
            found += [(name.decode(), _unpacked(part)) for part in value.split(b",")]
        else:
            found.append((name.decode(errors="replace"), value.decode(errors="replace")))
    return tuple(found)


def metadata_fields(given: Iterable[tuple[str, str | bytes]]) -> list[Field]:
    """Metadata as header fields."""
    out = []
    for name, value in given:
        raw = value.encode() if isinstance(value, str) else value
        if name.endswith("-bin"):
            raw = base64.b64encode(raw).rstrip(b"=")
        out.append((name.lower().encode(), raw))
    return out


def timeout_field(timeout_s: float) -> Field:
    """A deadline: whole seconds where that is exact, so that equal ones are equal bytes."""
    if timeout_s >= 1 and timeout_s == int(timeout_s):
        return b"grpc-timeout", b"%dS" % min(int(timeout_s), 99_999_999)
    return b"grpc-timeout", b"%dm" % max(0, min(math.ceil(timeout_s * 1000), 99_999_999))


def status(block: Block) -> Status:
    """The status in trailers. Without one, what the HTTP status of the answer amounts to."""
    known = block.meaning
    if isinstance(known, Status):
        return known
    named = dict(block.fields)
    raw = named.get(b"grpc-status")
    if raw is not None and raw.isdigit() and len(raw) <= 3:
        details = unquote(named.get(b"grpc-message", b"").decode(errors="replace"))
        found = Status(int(raw), details, metadata(block.fields))
    else:
        found = _http_status(named.get(b":status", b""))
    block.meaning = found
    return found


def status_fields(ended: Status) -> bytes:
    """A status as a block of trailers."""
    out: list[Field] = [(b"grpc-status", b"%d" % ended.code)]
    if ended.details:
        out.append((b"grpc-message", quote(ended.details, safe=_DETAIL_SAFE).encode()))
    return fields.encode(out + metadata_fields(ended.metadata))


_UNAVAILABLE, _UNKNOWN, _UNIMPLEMENTED, _PERMISSION, _UNAUTHENTICATED, _INTERNAL = (
    14,
    2,
    12,
    7,
    16,
    13,
)
_HTTP = {
    b"400": _INTERNAL,
    b"401": _UNAUTHENTICATED,
    b"403": _PERMISSION,
    b"404": _UNIMPLEMENTED,
    b"429": _UNAVAILABLE,
    b"502": _UNAVAILABLE,
    b"503": _UNAVAILABLE,
    b"504": _UNAVAILABLE,
}


def _http_status(code: bytes) -> Status:
    """gRPC's "HTTP to gRPC Status Code Mapping"."""
    text = f"the answer is no gRPC: HTTP status {code.decode(errors='replace') or 'missing'}"
    return Status(_HTTP.get(code, _UNKNOWN), text, ())


def _timeout(raw: bytes | None) -> float | None:
    if raw is None or not raw[:-1].isdigit() or len(raw) > 9:
        return None
    unit = _UNITS_S.get(raw[-1:])
    return int(raw[:-1]) * unit if unit else None


def _unpacked(raw: bytes) -> bytes:
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except (binascii.Error, ValueError):
        return b""
