"""gRPC's forms in header fields: requests, status, metadata, deadlines.

Pure module. (gRPC over HTTP/2, "Requests" and "Responses"; percent-encoding of messages there.)
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote

from holdfast.api.transport.http2 import fields
from holdfast.api.transport.http2.fields import Block, Field

Metadata = tuple[tuple[str, str | bytes], ...]

_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_RESERVED = (b":", b"grpc-")
_OWN = frozenset((b"content-type", b"te", b"user-agent"))
_DETAIL_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
DETAILS_BYTES_MAX = 8 << 10
"""Of a status's sentence as UTF-8; a longer one is cut."""
BLOCK_BYTES_MAX = 24 << 10
"""Of the header fields of a request or a status that we send: peers of ours take 32 KiB."""
_TIMEOUT_MAX = 99_999_999

_NAME = re.compile(rb":?[a-z0-9!#$%&'*+.^_`|~-]+").fullmatch  # RFC 9110 §5.1, in lower case
_VALUE_BAD = re.compile(rb"[\0\r\n]").search  # RFC 9113 §8.2.1
_REQUEST_PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority"))
_OF_HTTP_1 = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)
_KEY = re.compile(r"[a-z0-9_.-]+").fullmatch  # of metadata, ours
_TEXT = re.compile(r"[\x20-\x7e]*").fullmatch


class Request(NamedTuple):
    """What a client asks for. timeout_s: from now on; None = as long as it takes.
    refused: the HTTP status with which a request that is no gRPC is answered, b"" = it is one.
    """

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
    if not _well_formed(block):
        refused = b"400"
    elif named.get(b":method") != b"POST":
        refused = b"405"
    elif not _is_grpc(named):
        refused = b"415"
    path = named.get(b":path", b"").decode(errors="replace")
    timeout_s = _timeout(named.get(b"grpc-timeout"))
    asked = Request(path, metadata(block.fields), timeout_s, refused)
    block.meaning = asked
    return asked


class _Head(NamedTuple):
    """What an answer's first fields amount to. wrong: None = an answer of gRPC's."""

    wrong: Status | None


def answer(block: Block) -> Status | None:
    """An answer's first fields: None for gRPC's, else what they amount to. Kept in the block."""
    known = block.meaning
    if not isinstance(known, _Head):
        named = dict(block.fields)
        code = named.get(b":status", b"")
        good = code.startswith(b"1") or (code == b"200" and _is_grpc(named))
        known = block.meaning = _Head(None if good else _http_status(code))
    return known.wrong


def _well_formed(block: Block) -> bool:
    """Whether fields are a request's (RFC 9113 §8.2, §8.3)."""
    seen: set[bytes] = set()
    regular = False
    for name, value in block.fields:
        if not _NAME(name) or _VALUE_BAD(value) or name in _OF_HTTP_1:
            return False
        if name.startswith(b":"):
            if regular or name in seen or name not in _REQUEST_PSEUDO:
                return False
            seen.add(name)
        else:
            regular = True
    return {b":method", b":scheme", b":path"} <= seen


def _is_grpc(named: dict[bytes, bytes]) -> bool:
    kind = named.get(b"content-type", b"")
    return kind[:16] == b"application/grpc" and kind[16:17] in (b"", b"+", b";")


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
        key = name.decode(errors="replace")
        if name.endswith(b"-bin"):
            found += [(key, _unpacked(part.strip())) for part in value.split(b",")]
        else:
            found.append((key, value.decode(errors="replace")))
    return tuple(found)


def metadata_fields(given: Iterable[tuple[str, str | bytes]]) -> list[Field]:
    """Metadata as header fields. Raises ValueError for what may not be sent: keys are lower case
    and not gRPC's own, values printable ASCII unless the key ends with "-bin"."""
    out = []
    for name, value in given:
        key = name.lower()
        if not _KEY(key) or key.startswith("grpc-"):
            raise ValueError(f'"{name}" cannot be a key of metadata')
        if key.endswith("-bin"):
            raw = value.encode() if isinstance(value, str) else bytes(value)
            raw = base64.b64encode(raw).rstrip(b"=")
        else:
            text = value if isinstance(value, str) else value.decode("latin-1")
            if not _TEXT(text):
                raise ValueError(f'the value of "{name}" is not printable ASCII')
            raw = text.encode()
        out.append((key.encode(), raw))
    return out


def timeout_field(timeout_s: float) -> Field:
    """A deadline: whole seconds where that is exact, so that equal ones are equal bytes; else
    milliseconds, rounded up, for as long as their eight digits go (27 hours)."""
    whole = timeout_s >= 1 and (timeout_s > _TIMEOUT_MAX / 1000 or timeout_s == int(timeout_s))
    if whole:
        return b"grpc-timeout", b"%dS" % math.ceil(min(timeout_s, _TIMEOUT_MAX))
    return b"grpc-timeout", b"%dm" % max(1, math.ceil(timeout_s * 1000))


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
    """A status as a block of trailers. What does not fit goes without its metadata: a peer would
    end the connection for a block that is too large. Raises ValueError (`metadata_fields`)."""
    out: list[Field] = [(b"grpc-status", b"%d" % ended.code)]
    if ended.details:
        details = ended.details.encode(errors="replace")[:DETAILS_BYTES_MAX]
        quoted = quote(details.decode(errors="ignore"), safe=_DETAIL_SAFE).encode()
        if len(quoted) > DETAILS_BYTES_MAX:  # a third is enough of what is no ASCII
            details = details[: DETAILS_BYTES_MAX // 3]
            quoted = quote(details.decode(errors="ignore"), safe=_DETAIL_SAFE).encode()
        out.append((b"grpc-message", quoted))
    block = fields.encode(out + metadata_fields(ended.metadata))
    return block if len(block) <= BLOCK_BYTES_MAX else fields.encode(out)


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
