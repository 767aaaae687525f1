"""Reading YAML and JSON text into trees, as strictly as somebody else's manifest deserves.

Built on libyaml's events rather than on a general loader: one pass that knows each line, makes
only what JSON can hold, refuses duplicate keys, and bounds size, depth and what aliases expand
to. Text that is JSON is read as JSON, which allows what YAML does not (tabs).

Pure module.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from holdfast.api.codec import scalars
from holdfast.api.codec.forms import word
from holdfast.api.errors import ApiError, Reason

DOCUMENT_MAX_BYTES = 3 * 512 * 1024  # what one object may be, 1.5 MiB
TEXT_MAX_BYTES = 64 * 1024 * 1024
DEPTH_MAX = 100  # nested lists and objects
ALIASED_MAX = 100_000  # values that aliases may copy, in all
SHOWN_MAX = 40  # characters of a scalar in a message

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_COLLECTION_TAGS = (None, "!", _TAG + "map", _TAG + "seq")
_BLANK = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its tree (dict, list or scalar, as JSON has them) and its first line."""

    tree: Any
    line: int


def load_yaml(text: str | bytes) -> list[Document]:
    """The documents of YAML or JSON text, empty ones left out.

    Raises ApiError BadRequest with the line: invalid UTF-8, broken syntax, a duplicate key, a
    key that is no string, an unknown tag or alias, too much of anything.
    """
    if len(text) > TEXT_MAX_BYTES:
        raise _refused(0, f"text of more than {TEXT_MAX_BYTES >> 20} MiB is not read")
    decoded = _decode(text)
    if decoded.lstrip()[:1] in ("{", "["):
        found = _load_json(decoded)
        if found is not None:
            return found
    return _load(decoded)


def _decode(text: str | bytes) -> str:
    if isinstance(text, str):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            line = text.count("\n", 0, error.start) + 1
            raise _refused(line, "half of a surrogate pair is no text") from None
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(text.count(b"\n", 0, error.start) + 1, "this is not UTF-8 text") from None


def _load(text: str) -> list[Document]:
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    documents: list[Document] = []
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                document = _Builder(events).document()
                if document is not None:
                    documents.append(document)
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position]
        raise _refused(before.count(b"\n") + 1, str(error.reason)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = " ".join(filter(None, (error.problem, error.context)))
        raise _refused(mark.line + 1 if mark else 1, why) from None
    return documents


@dataclass(slots=True)
class _Open:
    """A list or object that is being read."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    count_before: int
    key: str | None = None  # of an object: the key whose value comes next
    merging: bool = False  # the value that comes next is that of "<<"
    merged: list[dict[str, Any]] = field(default_factory=list)


class _Builder:
    """Makes the tree of one document out of its events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0  # values made
        self._aliased = 0  # of them, copied by aliases
        self._root: Any = None

    def document(self) -> Document | None:
        """Read up to the end of the document; None when it is empty."""
        line = start = 0
        for event in self._events:
            mark = event.start_mark
            if isinstance(event, yaml.DocumentEndEvent):
                break
            if not line:
                line, start = mark.line + 1, mark.index
            if mark.index - start > DOCUMENT_MAX_BYTES:
                self._fail(event, f"a document ends at {DOCUMENT_MAX_BYTES} bytes")
            self._read(event)
        return None if self._root is None else Document(self._root, line)

    def _read(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        else:
            self._end(event)

    def _start(self, event: Any) -> None:
        if event.tag not in _COLLECTION_TAGS:
            self._fail(event, f"the tag {event.tag} is not supported")
        if len(self._open) >= DEPTH_MAX:
            self._fail(event, f"nested deeper than {DEPTH_MAX}")
        self._refuse_as_key(event, "an object or array")
        is_object = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_Open({} if is_object else [], event.anchor, self._count))
        self._count += 1

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        if isinstance(done.value, dict):
            for source in done.merged:
                for key, value in source.items():
                    done.value.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.value, self._count - done.count_before)
        self._put(done.value, event)

    def _scalar(self, event: Any) -> None:
        self._count += 1
        if self._expects_key() and event.value == "<<" and event.implicit[0]:
            self._open[-1].merging = True
            return
        value = self._value(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, event)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            self._fail(event, f"the alias *{event.anchor} stands for nothing before it")
        value, count = self._anchors[event.anchor]
        self._count += count
        self._aliased += count
        if self._aliased > ALIASED_MAX:
            self._fail(event, f"aliases expand to more than {ALIASED_MAX} values")
        self._put(_copy(value), event)

    def _value(self, event: Any) -> scalars.Scalar:
        tag, text = event.tag, str(event.value)
        if tag in (None, "!") or tag == _TAG + "str":
            is_plain = event.implicit[0] and tag is None
            value = scalars.resolve(text) if is_plain else text
        else:
            value, allowed = scalars.resolve(text), _SCALAR_TAGS.get(tag.removeprefix(_TAG), ())
            if type(value) not in allowed:
                self._fail(event, f"the tag {tag} is not supported here")
        if isinstance(value, float) and not math.isfinite(value):
            shown = text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"
            self._fail(event, f"{shown} is not a number in JSON: quote it if it is text")
        return value

    def _expects_key(self) -> bool:
        top = self._open[-1] if self._open else None
        return (
            top is not None
            and isinstance(top.value, dict)
            and top.key is None
            and (not top.merging)
        )

    def _refuse_as_key(self, event: Any, what: str) -> None:
        if self._expects_key():
            self._fail(event, f"a key must be a string, this is {what}: quote it")

    def _put(self, value: Any, event: Any) -> None:
        """Give a finished value to the list or object it belongs to."""
        if not self._open:
            self._root = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.merging:
            self._merge(top, value, event)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None
        elif not isinstance(value, str):
            self._fail(event, f"a key must be a string, this is {_shown(value)}: quote it")
        elif value in top.value:
            self._fail(event, f'the key "{value}" stands twice')
        else:
            top.key = value

    def _merge(self, top: _Open, value: Any, event: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._fail(event, "<< merges objects only")
        top.merged += sources
        top.merging = False

    def _fail(self, event: Any, why: str) -> NoReturn:
        raise _refused(event.start_mark.line + 1, why)


def load_json(data: str | bytes) -> Any:
    """The tree of one JSON text, as a request's body or a patch brings it.

    Raises ApiError BadRequest: no UTF-8, no JSON (with line and column), a duplicate key, nested
    too deep, too large.
    """
    if len(data) > DOCUMENT_MAX_BYTES:
        raise _refused(0, f"a JSON document ends at {DOCUMENT_MAX_BYTES} bytes")
    text = _decode(data)
    try:
        tree = _json_decoder(1).decode(text)
    except RecursionError:
        raise _refused(0, f"nested deeper than {DEPTH_MAX}") from None
    except json.JSONDecodeError as error:
        raise _refused(error.lineno, f"not JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        raise _refused(0, f"not JSON: {error}") from None
    if _depth(tree) > DEPTH_MAX:
        raise _refused(0, f"nested deeper than {DEPTH_MAX}")
    return tree


def _load_json(text: str) -> list[Document] | None:
    """The JSON documents that stand one after the other, None when it is not JSON."""
    documents, line, at = [], 1, _end_of_blank(text, 0)
    try:
        while at < len(text):
            line = text.count("\n", 0, at) + 1
            tree, end = _json_decoder(line).raw_decode(text, at)
            if end - at > DOCUMENT_MAX_BYTES:
                raise _refused(line, f"a document ends at {DOCUMENT_MAX_BYTES} bytes")
            if _depth(tree) > DEPTH_MAX:
                raise _refused(line, f"nested deeper than {DEPTH_MAX}")
            documents.append(Document(tree, line))
            at = _end_of_blank(text, end)
    except RecursionError:
        raise _refused(line, f"nested deeper than {DEPTH_MAX}") from None
    except ValueError:
        return None
    return documents


def _json_decoder(line: int) -> json.JSONDecoder:
    """A decoder that refuses what the standard allows but no object may have.

    line: where the document begins, for messages.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _refused(line, f'in the JSON that starts here the key "{twice}" stands twice')
        return found

    return json.JSONDecoder(object_pairs_hook=unique, parse_constant=_number, parse_float=_number)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a number in JSON")
    return number


def _end_of_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()


def _depth(tree: Any) -> int:
    """How deep lists and objects are nested in a tree, level by level."""
    depth, level = 0, [tree]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    return f"the {word(value)} {json.dumps(value)}" if value is not None else "null"


def _refused(line: int, why: str) -> ApiError:
    where = f"line {line}: " if line else ""
    return ApiError(Reason.BAD_REQUEST, f"{where}{why}")
