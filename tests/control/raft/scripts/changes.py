"""Membership changes as scripts write them: `v1 l2 r3 u4`, separated by blanks.

`v` makes a voter, `l` a learner, `r` removes, `u` updates.

Pure module.
"""

from __future__ import annotations

from holdfast.control.raft.messages import ConfChangeSingle
from tests.control.raft.scripts.describe import CHANGE_LETTERS

_TYPES = {letter: kind for kind, letter in CHANGE_LETTERS.items()}


class ChangesError(Exception):
    """The text is no list of changes; the message is part of a script's output."""


def parse(text: str) -> tuple[ConfChangeSingle, ...]:
    """Read a list of changes, which may be empty.

    Raises:
        ChangesError: a word is no change.
    """
    return tuple(_change(word) for word in text.split())


def _change(word: str) -> ConfChangeSingle:
    if len(word) < 2:
        raise ChangesError(f"unknown token {word}")
    if word[0] not in _TYPES:
        raise ChangesError(f"unknown input: {word}")
    if not (word[1:].isascii() and word[1:].isdigit()):
        raise ChangesError(f'strconv.ParseUint: parsing "{word[1:]}": invalid syntax')
    return ConfChangeSingle(_TYPES[word[0]], int(word[1:]))
