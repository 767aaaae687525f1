"""How a list of intents becomes engine commits, and which id each commit has. Pure module.

As many intents as possible share a commit. A commit ends before an intent about a key that it
already has (the second must see the first), and around an intent that takes addresses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from holdfast.api.errors import ApiError, Reason
from holdfast.control.registry.intents import Intent
from holdfast.control.registry.preparation import stands_alone
from holdfast.control.store.commands import Key

GROUP_INTENTS_MAX = 2000


def groups(intents: Sequence[Intent], of: Sequence[Key]) -> Iterator[list[int]]:
    """The positions of the intents of each commit, in order. of: the key of each intent."""
    group: list[int] = []
    keys: set[Key] = set()
    for position, intent in enumerate(intents):
        key = of[position]
        alone = stands_alone(intent)
        if group and (alone or key in keys or len(group) >= GROUP_INTENTS_MAX):
            yield group
            group, keys = [], set()
        group.append(position)
        if alone:
            yield group
            group = []
        elif key.name:
            keys.add(key)
    if group:
        yield group


def commit_id(request_id: bytes, group: int, attempt: int) -> bytes:
    """The id of one engine commit of a request: the same at each repeat of the request."""
    if not request_id or (group == 0 and attempt == 0):
        return request_id
    part = b"%d/%d" % (group, attempt)
    return hashlib.blake2b(request_id + part, digest_size=16).digest()


def check_request(request_id: bytes, manager: str, manager_characters_max: int) -> None:
    """Raises ApiError BadRequest for options that cannot be."""
    if request_id and len(request_id) != 16:
        message = f"request_id must be 16 random bytes or empty, not {len(request_id)} bytes"
        raise ApiError(Reason.BAD_REQUEST, message)
    if len(manager) > manager_characters_max or not manager.isprintable():
        message = f"field_manager must be at most {manager_characters_max} printable characters"
        raise ApiError(Reason.BAD_REQUEST, message)
