"""JSON trees to messages, and what is wrong with a tree, each fault with its path.

One table a message type, made when the type is first met: JSON name → how its value is set. Type
checks are the protobuf library's own wherever it is as strict as JSON. Fields that Kubernetes'
JSON would leave out are not set, so what comes out here is in normal form already.

Pure module.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from holdfast.api.codec import faults
from holdfast.api.codec.faults import Place
from holdfast.api.codec.fields import Field, Form, Many, fields_of, has_type
from holdfast.api.codec.forms import FORMS, ZERO_QUANTITY, SpecialForm, WrongTypeError
from holdfast.api.errors import Cause

M = TypeVar("M", bound=Message)
Setter = Callable[[Any, Any, Place, list[Cause]], None]
# name, the JSON type that is set as it is, whether "" and false are set too, how else it is set
Row = tuple[str, type | None, bool, Setter | None]

_TYPES: dict[Form, type] = {Form.STRING: str, Form.BOOLEAN: bool, Form.INTEGER: int}
_WORDS: dict[type | None, Form] = {kind: form for form, kind in _TYPES.items()}


def from_json(
    message_type: type[M], tree: Any, *, strict: bool = True, path: str = ""
) -> tuple[M, list[Cause]]:
    """The message that a JSON tree says, and what is wrong with the tree.

    apiVersion and kind of an object are passed over, null is absent. path: where the tree
    stands, for the causes. strict: all faults are returned and the caller refuses (the message
    then lacks them); not strict: unknown fields are returned as warnings, a wrong value raises
    ApiError BadRequest.
    """
    message, causes = message_type(), list[Cause]()
    place = (None, path) if path else None
    _fill(message, tree, _rows(message_type.DESCRIPTOR), place, causes)
    if not strict:
        wrong = [cause for cause in causes if not faults.is_unknown(cause)]
        if wrong:
            raise faults.refusal(wrong)
    return message, causes


def _fill(
    message: Any, tree: Any, rows: dict[str, Row], place: Place | None, causes: list[Cause]
) -> bool:
    """Set the fields of `message` that `tree` has; rows: those of its type.

    Returns whether a field was surely set, and so the message is present in its parent.
    """
    if type(tree) is not dict:
        faults.wrong_type("object", tree, place, causes)
        return False
    is_set = False
    for key, value in tree.items():
        row = rows.get(key)
        if row is None:
            faults.unknown(rows, key, place, causes)
            continue
        if value is None:
            continue
        name, plain, keeps_empty, setter = row
        if setter is not None:
            setter(message, value, (place, key), causes)
        elif type(value) is plain and (value or keeps_empty):
            try:
                setattr(message, name, value)
                is_set = True
            except ValueError:
                faults.wrong_value(faults.why_refused(value), (place, key), causes)
        elif type(value) is not plain:
            faults.wrong_type(_WORDS[plain], value, (place, key), causes)
    return is_set


@cache  # one table a message type of the schema
def _rows(descriptor: Descriptor) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for field in fields_of(descriptor):
        if field.inline and field.message is not None:
            for key, row in _rows(field.message).items():
                rows[key] = ("", None, False, _inline(field.name, row))
            continue
        setter = _setter(field)
        plain = None if setter else _TYPES[field.form]
        rows[field.json] = (field.name, plain, field.pointer, setter)
    if has_type(descriptor):
        rows.setdefault("apiVersion", ("", None, False, _pass_over))
        rows.setdefault("kind", ("", None, False, _pass_over))
    return rows


def _setter(field: Field) -> Setter | None:
    """How a value is set that cannot be assigned as it is."""
    special = FORMS.get(field.message.full_name) if field.message is not None else None
    if field.many is Many.MAP:
        return _map(field, special)
    if field.many is Many.LIST and field.message is None:
        return _list_of_scalars(field)
    if field.many is Many.LIST:
        return _list_of_special(field, special) if special else _list(field)
    if special is not None:
        return _special(field, special)
    if field.form is Form.MESSAGE:
        return _message(field)
    return _bytes(field) if field.form is Form.BYTES else None


def _pass_over(_message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
    if type(value) is not str:
        faults.wrong_type(Form.STRING, value, place, causes)


def _inline(name: str, row: Row) -> Setter:
    """Set through the inline message `name`, as its own row of that key says."""
    inner = row[3]

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        child, key = getattr(message, name), cast(str, place[1])
        if inner is not None:
            inner(child, value, place, causes)
        else:
            _fill(child, {key: value}, {key: row}, place[0], causes)

    return put


def _message(field: Field) -> Setter:
    assert field.message is not None
    name, pointer, descriptor = field.name, field.pointer, field.message
    rows: dict[str, Row] | None = None  # made when first needed, then kept

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        nonlocal rows
        if rows is None:
            rows = _rows(descriptor)
        child = getattr(message, name)
        if not _fill(child, value, rows, place, causes) and pointer:
            child.SetInParent()

    return put


def _special(field: Field, form: SpecialForm) -> Setter:
    name, pointer, read = field.name, field.pointer, form.read
    empty = _empty_text(field)

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        child = getattr(message, name)
        if pointer:
            child.SetInParent()
        _read(read, child, value, place, causes)
        if not pointer and child.SerializeToString() == empty:
            message.ClearField(name)

    return put


def _empty_text(field: Field) -> bytes:
    """The bytes that say the same as an absent message: a quantity of zero."""
    assert field.message is not None
    return ZERO_QUANTITY if field.message.name == "Quantity" else b""


def _list(field: Field) -> Setter:
    assert field.message is not None
    name, descriptor = field.name, field.message
    rows: dict[str, Row] | None = None  # made when first needed, then kept

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        nonlocal rows
        if rows is None:
            rows = _rows(descriptor)
        if type(value) is not list:
            faults.wrong_type(Many.LIST, value, place, causes)
            return
        add = getattr(message, name).add
        for index, item in enumerate(value):
            _fill(add(), item, rows, (place, index), causes)

    return put


def _list_of_special(field: Field, form: SpecialForm) -> Setter:
    name, read = field.name, form.read

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        if type(value) is not list:
            faults.wrong_type(Many.LIST, value, place, causes)
            return
        for index, item in enumerate(value):
            _read(read, getattr(message, name).add(), item, (place, index), causes)

    return put


def _list_of_scalars(field: Field) -> Setter:
    name, expected, kind = field.name, field.form, _TYPES[field.form]

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        if type(value) is not list:
            faults.wrong_type(Many.LIST, value, place, causes)
            return
        append = getattr(message, name).append
        for index, item in enumerate(value):
            if type(item) is not kind:
                faults.wrong_type(expected, item, (place, index), causes)
                continue
            try:
                append(item)
            except ValueError:
                faults.wrong_value(faults.why_refused(item), (place, index), causes)

    return put


def _map(field: Field, form: SpecialForm | None) -> Setter:
    """A map; a null value is the type's empty value, as in Go."""
    name, put_entry = field.name, _entry(form, _READ.get(field.form, _read_text))

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        if type(value) is not dict:
            faults.wrong_type(Many.MAP, value, place, causes)
            return
        target = getattr(message, name)
        for key, item in value.items():
            try:
                put_entry(target, key, item)
            except ValueError as error:
                faults.value_fault(error, item, (place, f"[{key}]"), causes)

    return put


def _entry(
    form: SpecialForm | None, read: Callable[[object], Any]
) -> Callable[[Any, Any, object], None]:
    """How one entry of a map is set."""
    if form is None:

        def put_scalar(target: Any, key: Any, item: object) -> None:
            target[key] = read(item)

        return put_scalar
    fill = form.read

    def put_message(target: Any, key: Any, item: object) -> None:
        child = target[key]  # indexing is how protobuf makes the entry of a message map
        if item is not None:
            fill(child, item)

    return put_message


def _read_text(value: object) -> str:
    if value is None:
        return ""
    if type(value) is not str:
        raise WrongTypeError(Form.STRING, value)
    return value


def _read_bytes(value: object) -> bytes:
    if value is None:
        return b""
    if type(value) is not str:
        raise WrongTypeError(Form.BYTES, value)
    try:
        text = value.replace("\n", "").replace("\r", "").encode("ascii")
        return base64.b64decode(text, validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("expected base64 text, got something else") from None


_READ: dict[Form, Callable[[object], Any]] = {Form.STRING: _read_text, Form.BYTES: _read_bytes}


def _bytes(field: Field) -> Setter:
    name, pointer = field.name, field.pointer

    def put(message: Any, value: Any, place: Place, causes: list[Cause]) -> None:
        def assign(target: Any, value: Any) -> None:
            data = _read_bytes(value)
            if data or pointer:
                setattr(target, name, data)

        _read(assign, message, value, place, causes)

    return put


def _read(
    read: Callable[[Any, Any], None], target: Any, value: Any, place: Place, causes: list[Cause]
) -> None:
    try:
        if value is None:
            raise WrongTypeError("a value", value)
        read(target, value)
    except ValueError as error:
        faults.value_fault(error, value, place, causes)
