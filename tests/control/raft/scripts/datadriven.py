"""The format of the scripts: blocks of a command line, input lines, `----` and expected output.

Between blocks stand blank lines and comments (`# …`). The expected output ends at the first blank
line; where it holds blank lines itself, it begins with a second `----` and ends with two. A command
line that ends in `\\` goes on in the next. Arguments are `key`, `key=value` or `key=(a, b)`.

Pure module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

SEPARATOR = "----"
_WORD = re.compile(r"[^\s=()]+=\([^)]*\)|\S+")


class ScriptError(Exception):
    """The script says something that has no meaning; the message names the line."""


class Argument(NamedTuple):
    """`key` (no values), `key=value` (one) or `key=(a, b)` (any number)."""

    key: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """One command with what it should print.

    `line`: its number in the file, from 1. `head`: its lines as they stand before the separator,
    for rewriting. `span`: the numbers of the lines, from 0, that the block takes, end excluded.
    """

    command: str
    arguments: tuple[Argument, ...]
    input: str
    expected: tuple[str, ...]
    line: int
    span: tuple[int, int]
    head: tuple[str, ...]

    def option(self, key: str) -> str | None:
        """The single value of `key=value`, None where the command has no such argument."""
        for argument in self.arguments:
            if argument.key == key and len(argument.values) == 1:
                return argument.values[0]
        return None

    def words(self) -> tuple[str, ...]:
        """The arguments without values, in order."""
        return tuple(a.key for a in self.arguments if not a.values)

    def numbers(self) -> tuple[int, ...]:
        """The arguments without values as numbers.

        Raises:
            ScriptError: one is none.
        """
        return tuple(number(word) for word in self.words())

    def number(self, position: int) -> int:
        """One argument without value, counted from 0, as a number.

        Raises:
            ScriptError: there are not so many, or it is none.
        """
        words = self.words()
        if position >= len(words):
            raise ScriptError(f"{self.command} needs {position + 1} numbers")
        return number(words[position])


def number(word: str) -> int:
    """Read a number.

    Raises:
        ScriptError: it is none.
    """
    if not (word.isascii() and word.isdigit()):
        raise ScriptError(f"{word} is no number")
    return int(word)


def parse(text: str) -> list[Block]:
    """Read a script.

    Raises:
        ScriptError: a command without separator, or text after a double separator.
    """
    lines = text.splitlines()
    blocks = []
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        if not line or line.startswith("#"):
            at += 1
            continue
        block = _block(lines, at)
        blocks.append(block)
        at = block.span[1]
    return blocks


def rewrite(text: str, outputs: list[list[str]]) -> str:
    """Return the script with its expected outputs replaced, one a block; the rest stays."""
    lines = text.splitlines()
    written: list[str] = []
    at = 0
    for block, output in zip(parse(text), outputs, strict=True):
        written += [*lines[at : block.span[0]], *block.head]
        if any(not line.strip() for line in output):
            written += [SEPARATOR, SEPARATOR, *output, SEPARATOR, SEPARATOR]
        else:
            written += [SEPARATOR, *output]
        at = block.span[1]
        if not lines[at - 1].strip():
            written.append("")
    return "\n".join([*written, *lines[at:]]).rstrip("\n") + "\n"


def _block(lines: list[str], start: int) -> Block:
    try:
        separator = lines.index(SEPARATOR, start)
    except ValueError:
        raise ScriptError(f"line {start + 1}: no {SEPARATOR} after the command") from None
    first_input = start + 1
    directive = lines[start].strip()
    while directive.endswith("\\") and first_input < separator:
        directive = directive[:-1] + " " + lines[first_input].strip()
        first_input += 1
    words = _WORD.findall(directive)
    expected, end = _expected(lines, separator + 1)
    return Block(
        command=words[0],
        arguments=tuple(_argument(word) for word in words[1:]),
        input="\n".join(lines[first_input:separator]).strip(),
        expected=tuple(expected),
        line=start + 1,
        span=(start, end),
        head=tuple(lines[start:separator]),
    )


def _argument(word: str) -> Argument:
    key, equals, value = word.partition("=")
    if not equals:
        return Argument(word)
    if value.startswith("("):
        parts = (part.strip() for part in value[1:-1].split(","))
        return Argument(key, tuple(part for part in parts if part))
    return Argument(key, (value,))


def _expected(lines: list[str], start: int) -> tuple[list[str], int]:
    """Return the expected lines from `start` on, and where the next block may begin."""
    if lines[start : start + 1] == [SEPARATOR]:
        at = start + 1
        while lines[at : at + 2] != [SEPARATOR, SEPARATOR]:
            if at >= len(lines):
                raise ScriptError(f"line {start + 1}: the double {SEPARATOR} is not closed")
            at += 1
        if lines[at + 2 : at + 3] not in ([], [""]):
            raise ScriptError(f"line {at + 3}: text after a double {SEPARATOR}")
        return lines[start + 1 : at], min(at + 3, len(lines))
    at = start
    while at < len(lines) and lines[at].strip():
        at += 1
    return lines[start:at], min(at + 1, len(lines))
