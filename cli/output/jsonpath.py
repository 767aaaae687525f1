"""kubectl's JSONPath templates: `{.spec.clusterIP}`, `{range .items[*]}{.metadata.name} {end}`.

The dialect of k8s.io/client-go/util/jsonpath: text outside braces is copied; inside, a path, a
quoted string, `range` … `end`. Steps: `.name`, `['name']`, `[n]`, `[a:b:s]`, `[*]`, `..name`,
`[?(@.a == "x")]` with == != < <= > >=, and unions `[0,2]` or `['a','b']`. A missing key gives
nothing. Pure module.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from holdfast.api.errors import ApiError, Reason

NESTING_MAX = 16

Step = Callable[[list[Any]], list[Any]]

_WORD = re.compile(r"[A-Za-z_$@][\w\-/]*|\*")
_COMPARISON = re.compile(r"(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Path:
    steps: tuple[Step, ...]
    absolute: bool


@dataclass(frozen=True, slots=True)
class _Range:
    path: _Path
    body: tuple[_Text | _Path | _Range, ...]


_Node = _Text | _Path | _Range


def render(template: str, tree: Any) -> str:
    """The template filled from a JSON tree. Raises ApiError BadRequest for a broken template."""
    nodes = _parse(template)
    return "".join(_render(nodes, tree))


def values(path: str, tree: Any) -> list[Any]:
    """The values a single path finds; braces and the leading dot may be left out
    (`.metadata.name`, `{.metadata.name}`, `metadata.name`): for --sort-by and `wait`."""
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if not text.startswith((".", "[", "$", "@")):
        text = f".{text}"
    return _find(_path(text), tree, tree)


def _wrong(template: str, why: str) -> ApiError:
    return ApiError(Reason.BAD_REQUEST, f'bad JSONPath template "{template}": {why}')


def _parse(template: str) -> tuple[_Node, ...]:
    """Split into text and actions, and nest what stands between range and end."""
    stack: list[list[_Node]] = [[]]
    ranges: list[_Path] = []
    for kind, text in _pieces(template):
        if kind == "text":
            stack[-1].append(_Text(text))
        elif text == "end":
            if not ranges:
                raise _wrong(template, '"end" without "range"')
            body = tuple(stack.pop())
            stack[-1].append(_Range(ranges.pop(), body))
        elif text.startswith("range "):
            if len(ranges) >= NESTING_MAX:
                raise _wrong(template, f"ranges nested deeper than {NESTING_MAX}")
            ranges.append(_path(text.removeprefix("range ").strip()))
            stack.append([])
        elif text[:1] in "\"'" and text:
            stack[-1].append(_Text(_unquoted(text)))
        else:
            stack[-1].append(_path(text))
    if ranges:
        raise _wrong(template, '"range" without "end"')
    return tuple(stack[0])


def _pieces(template: str) -> Iterator[tuple[str, str]]:
    """Text and the insides of braces, in order; a brace inside quotes is text."""
    position = 0
    while position < len(template):
        start = template.find("{", position)
        if start < 0:
            yield "text", template[position:]
            return
        if start > position:
            yield "text", template[position:start]
        end = _closing(template, start + 1)
        if end < 0:
            raise _wrong(template, "a brace is not closed")
        yield "action", template[start + 1 : end].strip()
        position = end + 1


def _closing(template: str, position: int) -> int:
    quote = ""
    for index in range(position, len(template)):
        letter = template[index]
        if quote:
            if letter == quote and template[index - 1] != "\\":
                quote = ""
        elif letter in "\"'":
            quote = letter
        elif letter == "}":
            return index
    return -1


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    for escape, letter in (("\\n", "\n"), ("\\t", "\t"), ('\\"', '"'), ("\\'", "'")):
        inner = inner.replace(escape, letter)
    return inner


def _path(text: str) -> _Path:
    rest = text.removeprefix("$")
    absolute = not rest.startswith("@")
    rest = rest.removeprefix("@")
    steps: list[Step] = []
    while rest:
        step, rest = _step(rest, text)
        steps.append(step)
    return _Path(tuple(steps), absolute)


def _step(rest: str, text: str) -> tuple[Step, str]:
    if rest.startswith(".."):
        word = _WORD.match(rest, 2)
        if not word:
            raise _wrong(text, '".." needs a name')
        return _descend(word[0]), rest[word.end() :]
    if rest.startswith("["):
        end = _bracket_end(rest, text)
        return _subscript(rest[1:end].strip(), text), rest[end + 1 :]
    if rest == ".":
        return list, ""
    name, length = _name(rest.removeprefix("."))
    if not name or not rest.startswith("."):
        raise _wrong(text, f'"{rest}" is not understood: a step starts with "." or "["')
    return (_all if name == "*" else _member(name)), rest[1 + length :]


def _name(text: str) -> tuple[str, int]:
    """A field name (a backslash keeps the next letter: `labels.app\\.kubernetes\\.io/name`)."""
    name, index = "", 0
    while index < len(text) and text[index] not in ".[ ":
        if text[index] == "\\" and index + 1 < len(text):
            index += 1
        name += text[index]
        index += 1
    return name, index


def _bracket_end(text: str, whole: str) -> int:
    depth, quote = 0, ""
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            depth -= 1
            if depth == 0 and letter == "]":
                return index
    raise _wrong(whole, "a bracket is not closed")


def _subscript(inside: str, text: str) -> Step:
    if inside == "*":
        return _all
    if inside.startswith("?(") and inside.endswith(")"):
        return _filter(inside[2:-1].strip())
    parts = [part.strip() for part in inside.split(",")]
    if all(part[:1] in ("'", '"') and len(part) > 1 for part in parts):
        return _union([_member(_unquoted(part)) for part in parts])
    try:
        return _union([_slice(part) for part in parts])
    except ValueError:
        raise _wrong(
            text, f'"[{inside}]" is neither an index, a slice, a name nor a filter'
        ) from None


def _slice(text: str) -> Step:
    if ":" not in text:
        index = int(text)
        return lambda found: [
            v[index] for v in found if isinstance(v, list) and -len(v) <= index < len(v)
        ]
    bounds = slice(*(int(part) if part.strip() else None for part in text.split(":")))
    return lambda found: [item for v in found if isinstance(v, list) for item in v[bounds]]


def _union(steps: list[Step]) -> Step:
    return lambda found: [value for step in steps for value in step(found)]


def _member(name: str) -> Step:
    return lambda found: [v[name] for v in found if isinstance(v, dict) and name in v]


def _all(found: list[Any]) -> list[Any]:
    children: list[Any] = []
    for value in found:
        children += value if isinstance(value, list) else ()
        children += value.values() if isinstance(value, dict) else ()
    return children


def _descend(name: str) -> Step:
    def walk(value: Any) -> Iterator[Any]:
        yield value
        for child in _all([value]):
            yield from walk(child)

    step = _all if name == "*" else _member(name)
    return lambda found: step([value for start in found for value in walk(start)])


def _filter(condition: str) -> Step:
    match = _COMPARISON.fullmatch(condition)
    if not match:
        exists = _operand(condition)
        return lambda found: [item for item in _all(found) if exists(item)]
    left, right, compare = _operand(match[1]), _operand(match[3]), _OPERATORS[match[2]]

    def holds(item: Any) -> bool:
        try:
            return any(compare(a, b) for a in left(item) for b in right(item))
        except TypeError:
            return False  # values of different types are neither smaller nor greater

    return lambda found: [item for item in _all(found) if holds(item)]


def _operand(text: str) -> Callable[[Any], list[Any]]:
    text = text.strip()
    if text.startswith(("@", "$")):
        path = _path(text)
        return lambda item: _find(path, item, item)
    if text[:1] in ("'", '"'):
        return lambda _item: [_unquoted(text)]
    try:
        literal = json.loads(text)
    except ValueError:
        raise _wrong(text, f'"{text}" is neither a path, a quoted string nor a number') from None
    return lambda _item: [literal]


def _find(path: _Path, root: Any, here: Any) -> list[Any]:
    found = [root if path.absolute else here]
    for step in path.steps:
        found = step(found)
    return found


def _render(nodes: tuple[_Node, ...], here: Any) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, _Text):
            yield node.text
        elif isinstance(node, _Path):
            # Inside a range a path starts at the item, as in kubectl.
            yield " ".join(_shown(value) for value in _find(node, here, here))
        else:
            for item in _find(node.path, here, here):
                yield from _render(node.body, item)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
