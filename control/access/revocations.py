"""Which certificates are good no more: one moment per identity, rows of `~revocations`.

Every certificate of an identity issued up to that moment is refused; one issued later is good.
The rows are followed through the cache and looked up at every call, so a revocation works at once
on this control node, on connections that stand too. Listeners are told, to end long streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import orjson

from holdfast.control.store.commands import ANY, Commit, Key, Write
from holdfast.control.store.engine import Engine

if TYPE_CHECKING:
    from holdfast.control.cache import Cache, Update

RESOURCE = "~revocations"

Listener = Callable[[str], None]
"""Called with the identity's name when its certificates were revoked. Must not raise."""


class Revocations:
    """The moments, in memory."""

    def __init__(self, engine: Engine, cache: Cache) -> None:
        self._engine = engine
        self._revoked_at_ms: dict[str, int] = {}
        self._listeners: list[Listener] = []
        for entry in cache.list(RESOURCE):
            self._note(entry.key.name, entry.data)
        cache.subscribe(RESOURCE, self._changed)

    def listen(self, listener: Listener) -> None:
        """Have a listener told of every identity revoked from now on."""
        self._listeners.append(listener)

    def refuses(self, name: str, issued_at_ms: int) -> bool:
        """Whether a certificate of this identity, issued then, was revoked."""
        return issued_at_ms <= self._revoked_at_ms.get(name, -1)

    async def revoke(self, name: str, now: float, request_id: bytes) -> None:
        """Refuse every certificate of this identity issued up to now. Raises StoreError."""
        value = orjson.dumps({"revoked_at_ms": int(now * 1000)})
        write = Write(Key(RESOURCE, "", name), value, ANY)
        await self._engine.commit(Commit(request_id, (write,)))

    def _changed(self, updates: Sequence[Update]) -> None:
        for update in updates:
            if update.new is not None:
                name = update.new.key.name
                self._note(name, update.new.data)
                for listener in self._listeners:
                    listener(name)

    def _note(self, name: str, data: bytes) -> None:
        moment = int(orjson.loads(data)["revoked_at_ms"])
        self._revoked_at_ms[name] = max(moment, self._revoked_at_ms.get(name, -1))
