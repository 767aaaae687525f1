"""Join tokens as the control nodes keep them: rows of `~tokens`, the secret as a salted hash.

A token lets in nodes, or control nodes, never both: who becomes a control node gets the key of
the cluster's authority.

A token is created by an administrator, redeemed by machines that join, listed, revoked; it ends
by itself when its time or its uses are over. The row is the only state: a use is counted by a
write that expects the revision it read, so a token for one machine never lets in two.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import orjson

from holdfast.api.errors import ApiError, Reason
from holdfast.api.tls.tokens import JoinToken
from holdfast.control.access.ca import Randomness
from holdfast.control.store.commands import ABSENT, ANY, Commit, Key, Outcome, Write
from holdfast.control.store.engine import Engine

RESOURCE = "~tokens"
LIFETIME_S_DEFAULT = 86400
LIFETIME_S_MAX = 365 * 86400
TOKENS_MAX = 1000
DESCRIPTION_CHARACTERS_MAX = 256
UNLIMITED = -1

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_REDEEM_TRIES_MAX = 50
_INVALID = "the join token is not valid: it was revoked, has expired, or is of another cluster"
_FOR_CONTROL = "this join token is for control nodes: nodes need one of `holdfast token create`"
_FOR_NODES = "this join token is for nodes: control nodes need one of `holdfast member add`"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is stored of a token. salt, hash: hexadecimal; uses_left: UNLIMITED or a number;
    control: it is for control nodes."""

    id: str
    salt: str
    hash: str
    expires_at_s: int
    uses_left: int
    description: str
    control: bool = False

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))

    @staticmethod
    def decode(data: bytes) -> TokenRow:
        return TokenRow(**orjson.loads(data))

    def matches(self, secret: str) -> bool:
        """Whether this is the secret, in a time that does not depend on where it differs."""
        return hmac.compare_digest(_hashed(self.salt, secret), self.hash)


_NOBODY = TokenRow("", "00" * 16, "00" * 32, 0, 0, "")
"""Compared against when the id is unknown, so that this takes as long."""


class JoinTokens:
    """All tokens of the cluster. Methods raise StoreError when the store cannot serve."""

    def __init__(
        self, engine: Engine, clock: Callable[[], float], rng: Randomness, ca_pem: bytes
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._rng = rng
        self._ca_pem = ca_pem

    async def create(
        self, lifetime_s: int, description: str, uses: int, *, control: bool = False
    ) -> JoinToken:
        """A new token; the only time its secret is seen.

        lifetime_s 0 = a day; uses 0 = unlimited; control: for control nodes. Raises ApiError
        (BadRequest).
        """
        lifetime_s = lifetime_s or LIFETIME_S_DEFAULT
        _require(0 < lifetime_s <= LIFETIME_S_MAX, "lifetime_s must be 1 second to 365 days")
        _require(uses >= 0, "uses must not be negative")
        short = len(description) <= DESCRIPTION_CHARACTERS_MAX
        _require(short, f"description is over {DESCRIPTION_CHARACTERS_MAX} characters long")
        if len(await self.valid()) >= TOKENS_MAX:
            raise ApiError(
                Reason.TOO_MANY_REQUESTS, f"there are {TOKENS_MAX} join tokens: revoke some first"
            )
        token = JoinToken(self._draw(6), self._draw(32), self._ca_pem)
        salt = f"{self._rng.getrandbits(128):032x}"
        row = TokenRow(
            token.id,
            salt,
            _hashed(salt, token.secret),
            int(self._clock()) + lifetime_s,
            uses or UNLIMITED,
            description,
            control,
        )
        outcome = await self._write(token.id, row.encode(), ABSENT)
        if outcome.refusal:
            return await self.create(lifetime_s, description, uses, control=control)
        return token

    async def valid(self) -> list[TokenRow]:
        """The tokens that are good now, by id. Those that have ended are removed on the way."""
        rows = [TokenRow.decode(row.value) for row in self._engine.rows(RESOURCE)]
        now = self._clock()
        for row in rows:
            if not _good(row, now):
                await self._write(row.id, None, ANY)
        return [row for row in rows if _good(row, now)]

    async def revoke(self, token_id: str) -> None:
        """End a token now; machines that joined with it stay. Raises ApiError (NotFound)."""
        outcome = await self._write(token_id, None, ANY)
        if outcome.refusal:
            raise ApiError(Reason.NOT_FOUND, f'there is no join token "{token_id}"')

    def check(self, token_id: str, secret: str, *, control: bool = False) -> tuple[TokenRow, int]:
        """The token's row and its revision, if it is good now, for what it is used for.

        Raises ApiError (Unauthorized) with one sentence for every wrong token: whoever does not
        hold a token learns nothing about those there are.
        """
        stored = self._engine.row(_key(token_id))
        row = TokenRow.decode(stored.value) if stored else _NOBODY
        if not row.matches(secret) or stored is None or not _good(row, self._clock()):
            raise ApiError(Reason.UNAUTHORIZED, _INVALID)
        if row.control != control:
            raise ApiError(Reason.UNAUTHORIZED, _FOR_CONTROL if row.control else _FOR_NODES)
        return row, stored.revision

    async def redeem(self, token_id: str, secret: str, *, control: bool = False) -> None:
        """Count one use. Raises ApiError as `check` does."""
        for _ in range(_REDEEM_TRIES_MAX):
            row, revision = self.check(token_id, secret, control=control)
            if row.uses_left == UNLIMITED:
                return
            used = replace(row, uses_left=row.uses_left - 1)
            outcome = await self._write(token_id, used.encode(), revision)
            if not outcome.refusal:
                return
        raise ApiError(Reason.TOO_MANY_REQUESTS, "too many machines join at once: try again")

    async def _write(self, token_id: str, value: bytes | None, expect: int) -> Outcome:
        request_id = self._rng.getrandbits(128).to_bytes(16, "big")
        commit = Commit(request_id, (Write(_key(token_id), value, expect),))
        return (await self._engine.commit(commit)).outcomes[0]

    def _draw(self, characters: int) -> str:
        return "".join(_ALPHABET[self._rng.getrandbits(5)] for _ in range(characters))


def _good(row: TokenRow, now: float) -> bool:
    return now < row.expires_at_s and row.uses_left != 0


def _key(token_id: str) -> Key:
    return Key(RESOURCE, "", token_id)


def _hashed(salt: str, secret: str) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + secret.encode()).hexdigest()


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ApiError(Reason.BAD_REQUEST, message)
