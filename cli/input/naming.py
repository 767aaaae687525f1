"""What the words after a verb mean: `pods`, `pod web-1`, `deploy/web svc/web`, `pods,svc`, `all`.

Kinds come from the table of kinds. Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from holdfast.api import kinds
from holdfast.api.kinds import Kind


@dataclass(frozen=True, slots=True)
class Named:
    """A kind and the names wanted of it; no names: all of them.

    namespace: where a file says they are, "" = the command's namespace.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    namespace: str = ""


def targets(words: tuple[str, ...]) -> list[Named]:
    """The kinds and names that the words of `get`, `delete`, `describe` … mean.

    Raises ApiError when a kind is unknown or not built, click.UsageError when the two forms
    (TYPE NAME… and TYPE/NAME) are mixed.
    """
    if not words:
        raise click.UsageError("name what you mean, as TYPE [NAME…] or TYPE/NAME: `pod/web`")
    if any("/" in word for word in words):
        return [_slashed(word) for word in words]
    first, *names = words
    found = [kind for word in first.split(",") if word for kind in _kinds(word)]
    if names and len(found) > 1:
        raise click.UsageError(
            f'"{first}" are several types: names belong to one, or write TYPE/NAME'
        )
    return [Named(kind, tuple(names)) for kind in found]


def one(words: tuple[str, ...]) -> tuple[Kind, str]:
    """Exactly one object: `TYPE NAME` or `TYPE/NAME`. Raises as `targets` otherwise."""
    found = targets(words)
    if len(found) != 1 or len(found[0].names) != 1:
        said = " ".join(words)
        raise click.UsageError(f'name one object, as TYPE/NAME or TYPE NAME, not "{said}"')
    return found[0].kind, found[0].names[0]


def _slashed(word: str) -> Named:
    kind, slash, name = word.partition("/")
    if not slash or not kind or not name or "/" in name:
        raise click.UsageError(f'"{word}" is not TYPE/NAME, as the other words are')
    return Named(kinds.require_built(kinds.by_word(kind)), (name,))


def _kinds(word: str) -> tuple[Kind, ...]:
    if word == "all":
        return kinds.by_category("all")
    return (kinds.require_built(kinds.by_word(word)),)
