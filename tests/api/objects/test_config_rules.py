"""Rules for config maps and secrets."""

from __future__ import annotations

import base64
from typing import Any

import pytest

MIB = 1 << 20


def _b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def _tree(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": "default"}, **fields}


ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("configmaps", {"data": {"a b": "c"}}, 'data[a b]: Invalid value: "a b": a valid config key'),
    ("configmaps", {"data": {"..": "c"}}, "must not start with '..'"),
    ("configmaps", {"data": {"a" * 254: "c"}}, "must be no more than 253 bytes"),
    ("configmaps", {"binaryData": {"/": ""}}, 'binaryData[/]: Invalid value: "/"'),
    ("configmaps", {"data": {"a": ""}, "binaryData": {"a": ""}}, "duplicate of key present in"),
    (
        "configmaps",
        {"data": {"a": "x" * (MIB + 1)}},
        "data: Too long: may not be more than 1048576",
    ),
    ("configmaps", {"data": {"a": "é" * (MIB // 2 + 1)}}, "data: Too long"),
    (
        "configmaps",
        {"data": {"a": "x" * MIB}, "binaryData": {"b": _b64(b"y")}},
        "data: Too long",
    ),
    ("secrets", {"data": {"a b": ""}}, 'data[a b]: Invalid value: "a b"'),
    ("secrets", {"data": {"a": _b64(b"x" * (MIB + 1))}}, "data: Too long"),
    (
        "secrets",
        {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}},
        "data[tls.key]: Required value: needed by a secret of type kubernetes.io/tls",
    ),
    ("secrets", {"type": "kubernetes.io/basic-auth"}, "needs username or password"),
]


@pytest.mark.parametrize(("resource", "fields", "cause"), ROWS)
def test_rules(judge: Any, resource: str, fields: Any, cause: str) -> None:
    found = judge.causes(resource, _tree(**fields))
    assert len(found) == 1, found
    assert cause in found[0]


def test_the_largest_is_fine(judge: Any) -> None:
    assert judge.causes("configmaps", _tree(data={"a": "x" * MIB})) == []


def test_string_data_becomes_data_and_wins(judge: Any) -> None:
    tree = _tree(data={"a": _b64(b"old"), "b": _b64(b"b")}, stringData={"a": "new"})
    found = judge.defaulted("secrets", tree)
    assert found["data"] == {"a": _b64(b"new"), "b": _b64(b"b")}
    assert "stringData" not in found
    assert found["type"] == "Opaque"


UPDATES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("configmaps", {"data": {"a": "b"}}, {"data": {"a": "c"}}, []),
    (
        "configmaps",
        {"data": {"a": "b"}, "immutable": True},
        {"data": {"a": "c"}, "immutable": True},
        ["data: Forbidden: field is immutable when `immutable` is set"],
    ),
    (
        "configmaps",
        {"immutable": True},
        {"immutable": False},
        ["immutable: Forbidden: field is immutable when `immutable` is set"],
    ),
    ("secrets", {"type": "a"}, {"type": "b"}, ['type: Invalid value: "b": field is immutable']),
    (
        "secrets",
        {"data": {"a": ""}, "immutable": True},
        {"data": {}, "immutable": True},
        ["data: Forbidden: field is immutable when `immutable` is set"],
    ),
]


@pytest.mark.parametrize(("resource", "old", "new", "causes"), UPDATES)
def test_updates(judge: Any, resource: str, old: Any, new: Any, causes: list[str]) -> None:
    assert judge.update(resource, _tree(**old), _tree(**new)) == causes
