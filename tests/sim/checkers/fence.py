"""F: what was decided in one term takes no effect in another, nor on a view that lacked writes.

The first is seen in the log: the term of the commit and of its entry. The second shows in what it
does: a controller that keeps so many copies never makes one too many, because whoever leads has
applied all that was acknowledged before it decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.control.store.commands import Key
from tests.sim.history import History, origin


def check(history: History, resource: str, copies: int) -> Iterator[str]:
    """One sentence for every effect outside its term, and for the first copy too many."""
    terms = {one.number: one.commit.term for one in history.operations if one.commit}
    there: dict[Key, None] = {}
    too_many = False
    for change in sorted(history.changes):
        if change.value is None:
            there.pop(change.key, None)
            continue
        decided = terms.get(origin(change.value), 0)
        term = history.terms.get(change.revision, decided)
        if decided not in (0, term):
            yield (
                f"revision {change.revision} was decided in term {decided} and took effect in "
                f"term {term}"
            )
        if change.key.resource == resource:
            there[change.key] = None
            if len(there) > copies and not too_many:
                too_many = True
                yield f"at revision {change.revision} there are {len(there)} copies, not {copies}"
