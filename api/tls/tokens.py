"""The join token: one printable string that lets a machine into the cluster.

It holds the token's id, its secret and the certificate of the cluster's authority, so a joining
machine verifies the control node from its first byte and fetches nothing unverified:

    hf1.<id>.<secret>.<certificate, base64url of DER>.<check, 8 digits of SHA-256 of the rest>

`holdfast node --join TOKEN@HOST[:PORT]` takes it with the control node's address. Pure module.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import NoReturn

from holdfast.api.errors import ApiError, Reason
from holdfast.api.tls import certificates

PREFIX = "hf1"
JOIN_PORT = 6445
"""The token listener's usual port."""
TOKEN_CHARACTERS_MAX = 4096

ID = re.compile(r"[a-z0-9]{6}")
SECRET = re.compile(r"[a-z0-9]{32}")
_HOST = re.compile(r"\[([0-9a-fA-F:.]+)\]|([^\s:@/\[\]]+)")


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A token, taken apart. id is public (lists show it), secret is not."""

    id: str
    secret: str
    ca_pem: bytes

    def __str__(self) -> str:
        der = certificates.from_pem(self.ca_pem).der
        packed = base64.urlsafe_b64encode(der).rstrip(b"=").decode()
        text = f"{PREFIX}.{self.id}.{self.secret}.{packed}"
        return f"{text}.{_check(text)}"

    def __repr__(self) -> str:
        return f"JoinToken(id={self.id!r})"


@dataclass(frozen=True, slots=True)
class JoinTarget:
    """Where to join, and by what right. address: "host:port" of a token listener."""

    token: JoinToken
    address: str


def parse(text: str) -> JoinToken:
    """Read what `str` of a token wrote. Raises ApiError (BadRequest) that says what is wrong."""
    text = text.strip()
    if len(text) > TOKEN_CHARACTERS_MAX:
        _refuse(f"it is longer than {TOKEN_CHARACTERS_MAX} characters")
    if not text.startswith(f"{PREFIX}."):
        _refuse(f'it does not begin with "{PREFIX}."')
    body, _, check = text.rpartition(".")
    if check != _check(body):
        _refuse("it is cut off or damaged: copy the whole line `holdfast token create` printed")
    parts = body.split(".")
    if len(parts) != 4 or not ID.fullmatch(parts[1]) or not SECRET.fullmatch(parts[2]):
        _refuse("its parts are not an id, a secret and a certificate")
    return JoinToken(parts[1], parts[2], _authority(parts[3]))


def parse_target(text: str) -> JoinTarget:
    """Read `TOKEN@HOST[:PORT]`; an IPv6 address stands in brackets. Raises ApiError."""
    token, at, address = text.strip().rpartition("@")
    if not at:
        raise ApiError(
            Reason.BAD_REQUEST,
            "the control node's address is missing: write TOKEN@HOST or TOKEN@HOST:PORT",
        )
    return JoinTarget(parse(token), with_port(address, JOIN_PORT))


def with_port(address: str, port: int) -> str:
    """ "host:port" of an address that may lack the port. Raises ApiError (BadRequest)."""
    match = _HOST.match(address)
    rest = address[match.end() :] if match else address
    if not match or (rest and not re.fullmatch(r":\d{1,5}", rest)):
        raise ApiError(
            Reason.BAD_REQUEST, f'"{address}" is not an address: write HOST or HOST:PORT'
        )
    number = int(rest[1:]) if rest else port
    if not 0 < number < 65536:
        raise ApiError(Reason.BAD_REQUEST, f'"{address}": the port must be 1 to 65535')
    return f"{match.group()}:{number}"


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _authority(packed: str) -> bytes:
    try:
        der = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        return certificates.from_der(der).pem
    except (binascii.Error, ValueError, ApiError):
        _refuse("there is no certificate inside")


def _refuse(why: str) -> NoReturn:
    raise ApiError(Reason.BAD_REQUEST, f"this is not a join token: {why}") from None
