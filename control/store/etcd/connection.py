"""The way to etcd: one member at a time, the next one when it fails, and errors as sentences.

Every request may be sent again (transactions are fenced by what they compare), so `call` tries
until its patience ends. etcd's refusals are told apart once, here. With a user, a token is asked
for when a connection begins and when etcd no longer takes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.api.etcd.v1 import etcd_pb2_grpc
from holdfast.control.store.engine import DiskFullError, StoreError
from holdfast.control.store.etcd.target import Target

T = TypeVar("T")
Metadata = Sequence[tuple[str, str]]

ATTEMPT_S = 1.5
"""One member has so long to answer before the next is asked."""
PATIENCE_S = 10.0
PAUSE_S, PAUSE_MAX_S = 0.02, 0.25
"""Between two attempts; doubled each time."""
OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),  # etcd ends connections that ask more than every 5 s
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_ELSEWHERE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


class UnreachableError(StoreError):
    """No member answered in time; what was asked for may have happened."""


class CompactedError(StoreError):
    """The revision of etcd's that was asked for is compacted."""


class TooLargeError(StoreError):
    """etcd takes no request of this size: nothing happened."""


class TokenError(UnreachableError):
    """etcd does not take the token any more: the next call gets a new one."""


class Unary(Protocol):
    """A method of a stub."""

    def __call__(self, request: Any, *, timeout: float, metadata: Metadata) -> Awaitable[Any]:
        """Begin the call."""


class Member:
    """A connection to one member of etcd."""

    def __init__(self, host: str, credentials: grpc.ChannelCredentials | None) -> None:
        self.host = host
        if credentials:
            self.channel = grpc.aio.secure_channel(host, credentials, options=OPTIONS)
        else:
            self.channel = grpc.aio.insecure_channel(host, options=OPTIONS)
        self.kv = etcd_pb2_grpc.KVStub(self.channel)
        self.watch = etcd_pb2_grpc.WatchStub(self.channel)
        self.lease = etcd_pb2_grpc.LeaseStub(self.channel)
        self.maintenance = etcd_pb2_grpc.MaintenanceStub(self.channel)
        self.auth = etcd_pb2_grpc.AuthStub(self.channel)


class Connection:
    """All members of one etcd. Use `call` and `stream`; `close` at the end."""

    def __init__(self, target: Target) -> None:
        """Raises StoreError when a file of the target cannot be read."""
        self.target = target
        self._credentials = _credentials(target)
        self._password = _read(target.password_file).decode().strip()
        self._members: dict[str, Member] = {}
        self._current = 0
        self._token = ""
        self._asking = asyncio.Lock()  # one asks for a token, the others wait for it

    @property
    def member(self) -> Member:
        """The member in use."""
        host = self.target.hosts[self._current]
        if host not in self._members:
            self._members[host] = Member(host, self._credentials)
        return self._members[host]

    def leave(self, member: Member) -> None:
        """This one does not answer: use the next from now on."""
        if member is self.member:
            self._current = (self._current + 1) % len(self.target.hosts)

    async def close(self) -> None:
        """End all connections."""
        members, self._members = self._members, {}
        for member in members.values():
            await member.channel.close()

    async def call(
        self, method: Callable[[Member], Any], request: Any, patience_s: float = PATIENCE_S
    ) -> Any:
        """Ask until a member answers. Raises StoreError: UnreachableError, CompactedError, …"""
        now = asyncio.get_running_loop().time
        end, pause = now() + patience_s, PAUSE_S
        while True:
            try:
                return await self.attempt(method, request, max(min(ATTEMPT_S, end - now()), 0.05))
            except UnreachableError:
                if now() + pause >= end:
                    raise
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSE_MAX_S)

    async def attempt(
        self, method: Callable[[Member], Any], request: Any, timeout_s: float = ATTEMPT_S
    ) -> Any:
        """Ask once. Raises UnreachableError (the next member is in use then), other StoreErrors."""
        member = self.member
        try:
            metadata = await self.metadata(member)
            unary: Unary = method(member)
            return await unary(request, timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            told = self.told(error, member)
            if isinstance(told, UnreachableError) and not isinstance(told, TokenError):
                self.leave(member)
            raise told from error

    async def metadata(self, member: Member) -> Metadata:
        """What to send along: the token, if there is a user. Raises AioRpcError."""
        if not self.target.user:
            return ()
        async with self._asking:
            if not self._token:
                request = etcd.AuthenticateRequest(name=self.target.user, password=self._password)
                reply = await member.auth.Authenticate(request, timeout=ATTEMPT_S)
                self._token = reply.token
        return (("token", self._token),)

    def forget_token(self) -> None:
        """The next call asks for a new token."""
        self._token = ""

    def told(self, error: grpc.aio.AioRpcError, member: Member) -> StoreError:
        """What an error of gRPC means here."""
        code, text = error.code(), error.details() or error.code().name
        words = text.removeprefix("etcdserver: ")
        if "compacted" in words:
            return CompactedError(f"{self.target}: {words}")
        if "too large" in words or "larger than max" in words:
            return TooLargeError(
                f"{self.target} takes no request of this size (its --max-request-bytes): {words}"
            )
        if "space exceeded" in words:
            return DiskFullError(
                f"{self.target} is full: raise its quota or compact and defragment it, then "
                "disarm its NOSPACE alarm"
            )
        if "invalid auth token" in words or "auth store is old" in words:
            self.forget_token()
            return TokenError(words)
        if "user name is empty" in words:
            return StoreError(f"{self.target} wants a user: etcd://USER@… and ?password-file=FILE")
        if code in _ELSEWHERE or code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return UnreachableError(f"{self.target} does not answer ({member.host}: {words})")
        return StoreError(f"{self.target} refuses: {words}")


def _credentials(target: Target) -> grpc.ChannelCredentials | None:
    if target.ca is None:
        return None
    key, cert = _read(target.key), _read(target.cert)
    return grpc.ssl_channel_credentials(_read(target.ca), key or None, cert or None)


def _read(path: Path | None) -> bytes:
    """A file's bytes, b"" for None. Raises StoreError naming it."""
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
