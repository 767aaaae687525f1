"""Reads of old revisions: the image of the disk with what memory has newer laid over it.

What is applied and not yet in the image is asked first, so what moves between the two meanwhile
is seen at least once. The floor is looked at before and after, because it may be swept meanwhile.
"""

from __future__ import annotations

from itertools import chain, count

from holdfast.control.store import image
from holdfast.control.store.commands import Change, Key, Result, Row
from holdfast.control.store.engine import ExpiredError, StoreError, UnknownOutcomeError
from holdfast.control.store.groups import join, part_id
from holdfast.control.store.history import overlay
from holdfast.control.store.replicated.machine import SPENT
from holdfast.control.store.replicated.opening import Opened


async def page(
    store: Opened, scope: tuple[str, str], revision: int, after: Key | None, limit: int
) -> list[Row]:
    """See Engine.page. scope: resource, and namespace or ""."""
    check_floor(store, revision)
    if revision > store.state.position.revision:
        raise StoreError(f"revision {revision} is not reached yet")
    newer = store.behind.tail.matching(*scope, revision, after)
    rows = await store.reader.run(image.page, scope, revision, after, limit + len(newer))
    check_floor(store, revision)
    return overlay(rows, newer, limit)


async def history(store: Opened, after: int, limit: int) -> list[Change]:
    """See Engine.history."""
    check_floor(store, after)
    tail = store.behind.tail
    newer = tail.after(max(after, tail.base), limit)
    if after >= tail.base:
        return newer
    changes = await store.reader.run(image.history, after, limit)
    check_floor(store, after)
    last = changes[-1].revision if changes else after
    changes += [change for change in newer if change.revision > last]
    return changes[:limit]


def check_floor(store: Opened, revision: int) -> None:
    """Raises ExpiredError for a revision below the floor."""
    floor = store.state.position.floor
    if revision < floor:
        raise ExpiredError(f"revision {revision} is too old: history is kept from {floor}")


def recall(store: Opened, commit_id: bytes, writes: int) -> Result | None:
    """The first result of a commit id, None when it is new. writes: how many the commit has.

    Raises UnknownOutcomeError when the result is no longer kept, or only a part of the batch was
    done.
    """
    retries = store.state.retries
    found: list[Result] = []
    for one in chain((commit_id,), (part_id(commit_id, n) for n in count())):
        if retries.spent(one):
            raise UnknownOutcomeError(SPENT)
        result = retries.find(one)
        if result is not None:
            found.append(result)
        elif one != commit_id:
            break
    done = sum(len(result.outcomes) for result in found)
    if done not in (0, writes):
        raise UnknownOutcomeError("only a part of this batch was done, or it was another one")
    return join(found) if found else None
