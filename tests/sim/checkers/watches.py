"""W: what watchers got, beside the changes that happened.

Every connection by itself: it begins where it was asked to, tells every change of its resource
once, in order, whole commits in one page, and a bookmark only behind everything it covers. One
that begins with the state must give the state of its first bookmark. Being told that a revision
is too old is right only below a floor that somebody asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import Change
from tests.sim.checkers.versions import Versions
from tests.sim.history import History, Page, Seen, Watch


def check(history: History) -> Iterator[str]:
    """One sentence for every connection that broke a promise, its first one."""
    versions = Versions(history.changes)
    for watch in history.watches:
        if watch.expired and watch.after >= history.floor:
            yield f"{_name(watch)} was too old, though no floor is above {history.floor}"
        sentence = next(_follow(watch, versions), "")
        if sentence:
            yield f"{_name(watch)} {sentence}"


def _name(watch: Watch) -> str:
    return f"watch {watch.number} at member {watch.member} after revision {watch.after}"


def _follow(watch: Watch, versions: Versions) -> Iterator[str]:
    pages = iter(watch.pages)
    reached = watch.after
    if not reached:
        initial: list[Seen] = []
        for page in pages:
            initial += page.events
            if any(one.type == EventType.BOOKMARK for one in page.events):
                reached = page.revision  # 0 where nothing was ever written
                yield from _initial(watch, initial, reached, versions)
                break
    for page in pages:
        yield from _page(watch, page, reached, versions)
        reached = page.revision


def _initial(watch: Watch, seen: list[Seen], reached: int, versions: Versions) -> Iterator[str]:
    *objects, last = seen
    if last.type != EventType.BOOKMARK or last.revision != reached:
        yield "has events behind the first bookmark, in the same page"
    rows = [(row.revision, row.key, row.value) for row in versions.all_at(watch.resource, reached)]
    if [(one.revision, one.key, one.value) for one in objects] != rows:
        found = ", ".join(f"{one.key and one.key.name}@{one.revision}" for one in objects)
        yield f"began with {found or 'nothing'}, which is not the state at revision {reached}"


def _page(watch: Watch, page: Page, reached: int, versions: Versions) -> Iterator[str]:
    if page.revision < reached:
        yield f"went back from revision {reached} to {page.revision}"
        return
    expected = [
        _event(change, versions)
        for change in versions.between(watch.resource, reached, page.revision)
    ]
    told = [one for one in page.events if one.type != EventType.BOOKMARK]
    for one in page.events:
        if one.type == EventType.BOOKMARK and one.revision != page.revision:
            yield f"has a bookmark at {one.revision} in a page up to {page.revision}"
    if told != expected:
        missing = [one.revision for one in expected if one not in told]
        wrong = [one.revision for one in told if one not in expected]
        yield (
            f"told revisions {[one.revision for one in told]} between {reached} and "
            f"{page.revision}: missing {missing}, wrong {wrong}"
        )
    # Another resource's change may end the commit: only a cut inside it would be seen.
    last = versions.changes.get(page.revision)
    if page.revision > versions.newest or (last and last.end != page.revision):
        yield f"stopped at revision {page.revision}, inside a commit or ahead of everybody"


def _event(change: Change, versions: Versions) -> Seen:
    before = versions.at(change.key, change.revision - 1)
    if change.value is None:
        value = before.value if before else None
        return Seen(EventType.DELETED, change.revision, change.key, value)
    type_ = EventType.MODIFIED if before else EventType.ADDED
    return Seen(type_, change.revision, change.key, change.value)
