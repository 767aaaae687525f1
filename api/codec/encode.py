"""Messages to JSON trees, by a function compiled for each message type.

The function's text is written from the descriptor and its field rules as straight-line reads of
the set fields, and compiled when a message of that type is first met (a program meets few of the
schema's types, and compiling one costs about a millisecond). Objects come out as Kubernetes
writes them; a tree shares nothing with its message.

Pure module.
"""

from __future__ import annotations

import base64
import keyword
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from holdfast.api.codec.fields import Field, Form, Many, fields_of
from holdfast.api.codec.forms import FORMS

if TYPE_CHECKING:
    from holdfast.api.kinds import Kind


def to_json(message: Message, kind: Kind | None = None) -> dict[str, Any]:
    """The JSON tree of a message, of plain dict, list, str, int, bool and None.

    kind: when given, apiVersion and kind lead the tree. Keys follow the schema's order, those of
    a map are sorted.
    """
    tree: dict[str, Any] = _function(message.DESCRIPTOR)(message)
    if kind is None:
        return tree
    return {"apiVersion": kind.api_version, "kind": kind.kind, **tree}


def to_json_bytes(message: Message, kind: Kind | None = None) -> bytes:
    """The same as UTF-8 JSON text without spaces."""
    return orjson.dumps(to_json(message, kind))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


# The globals of the compiled functions: they call each other by name, so that a name may first
# hold a function that compiles the real one. One entry a message type.
_SCOPE: dict[str, Any] = {"base64_text": _base64}


def _name(descriptor: Any) -> str:
    return f"json_of_{descriptor.full_name}".replace(".", "_")


def _function(descriptor: Any) -> Any:
    """The function that writes messages of this type: compiled, or about to compile itself."""
    name = _name(descriptor)
    if name not in _SCOPE:
        special = FORMS.get(descriptor.full_name)

        def compile_first(message: Message) -> Any:
            exec(_source(descriptor), _SCOPE)  # noqa: S102 (the text is ours, see _source)
            return _SCOPE[name](message)

        _SCOPE[name] = special.write if special else compile_first
    return _SCOPE[name]


def _source(descriptor: Descriptor) -> str:
    lines = [f"def {_name(descriptor)}(m):", "    out = {}"]
    lines += ["    " + line for line in _lines(descriptor, "m")]
    return "\n".join([*lines, "    return out"])


def _lines(descriptor: Descriptor, owner: str) -> list[str]:
    """Statements that write the fields of the message in the variable `owner` to `out`."""
    lines = [f"has_{owner} = {owner}.HasField"]
    for field in fields_of(descriptor):
        if field.inline and field.message is not None:
            inner = f"{owner}_{field.name}"
            lines += [f"{inner} = {_get(owner, field)}", *_lines(field.message, inner)]
        elif field.many is not Many.ONE:
            lines += _many(owner, field)
        elif field.message is not None and not field.pointer:
            lines += _plain_message(owner, field)
        else:
            lines += _one(owner, field)
    return lines


def _one(owner: str, field: Field) -> list[str]:
    """A scalar, or a message whose absence shows."""
    out, value = f"out[{field.json!r}] =", _value(field, _get(owner, field))
    has = f"has_{owner}({field.name!r})"
    if field.pointer:
        return [f"{out} {value} if {has} else None" if field.always else f"if {has}: {out} {value}"]
    if field.always:
        return [f"{out} {value}"]
    return [f"v = {_get(owner, field)}", f"if v: {out} {_value(field, 'v')}"]


def _plain_message(owner: str, field: Field) -> list[str]:
    """A message that Go holds by value: it is written even when nothing of it is set."""
    out, value = f"out[{field.json!r}] =", _value(field, _get(owner, field))
    has, empty = f"has_{owner}({field.name!r})", repr(_empty(field))
    if field.omit_zero:
        return [f"if {has}:", f"    v = {value}", f"    if v != {empty}: {out} v"]
    return [f"{out} {value} if {has} else {empty}"]


def _many(owner: str, field: Field) -> list[str]:
    out = f"out[{field.json!r}] ="
    if field.many is Many.MAP:
        value = f"{{k: {_value(field, 'v[k]')} for k in sorted(v)}}"
    elif field.form in (Form.MESSAGE, Form.BYTES):
        value = f"[{_value(field, 'x')} for x in v]"
    else:
        value = "list(v)"
    lines = [f"v = {_get(owner, field)}", f"if v: {out} {value}"]
    return [*lines, f"else: {out} None"] if field.always else lines


def _value(field: Field, expression: str) -> str:
    if field.message is not None:
        _function(field.message)
        return f"{_name(field.message)}({expression})"
    return f"base64_text({expression})" if field.form is Form.BYTES else expression


def _get(owner: str, field: Field) -> str:
    if keyword.iskeyword(field.name):
        return f"getattr({owner}, {field.name!r})"
    return f"{owner}.{field.name}"


def _empty(field: Field) -> Any:
    assert field.message is not None
    return _function(field.message)(GetMessageClass(field.message)())
