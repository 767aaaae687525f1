"""YAML and JSON text: what is read, what is refused and with which line, what is printed."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.api import codec
from holdfast.api.codec import documents, scalars
from holdfast.api.errors import ApiError, Reason
from tests.texts import texts


def one(text: str | bytes) -> Any:
    (document,) = codec.load_yaml(text)
    return document.tree


def refused(text: str | bytes) -> str:
    with pytest.raises(ApiError) as caught:
        codec.load_yaml(text)
    assert caught.value.reason is Reason.BAD_REQUEST
    return caught.value.message


def test_documents_and_their_lines() -> None:
    text = "# first\na: 1\n---\n\n---\n# second\nb: [2]\n...\n---\n- c\n"
    found = codec.load_yaml(text)
    assert [(document.tree, document.line) for document in found] == [
        ({"a": 1}, 2), ({"b": [2]}, 7), (["c"], 10),
    ]  # fmt: skip


def test_nothing_is_no_document() -> None:
    assert codec.load_yaml("") == codec.load_yaml("---\n---\n# only words\n") == []


SCALARS: list[tuple[str, Any]] = [
    ("yes", True), ("No", False), ("ON", True), ("off", False), ("y", True), ("N", False),
    ("true", True), ("False", False), ("yEs", "yEs"),
    ("~", None), ("null", None), ("", None), ("NULL", None),
    ("12", 12), ("-3", -3), ("+4", 4), ("0x1F", 31), ("017", 15), ("0o17", 15), ("0b11", 3),
    ("1_000", 1000), ("08", 8), ("18446744073709551615", 2**64 - 1),
    ("1.5", 1.5), ("1.0", 1), (".5", 0.5), ("1e3", 1000), ("-2.5e-1", -0.25), ("1.", 1),
    ("22:22", "22:22"), ("8080:59", "8080:59"), ("2001-12-14", "2001-12-14"),
    ("2001-12-14T21:59:43Z", "2001-12-14T21:59:43Z"), ("1.2.3", "1.2.3"), ("0x", "0x"),
    ("'1'", "1"), ('"yes"', "yes"), ("!!str 5", "5"), ("!!int 5", 5), ("=", "="), ("! 5", "5"),
    ("1__", 1), ("-", "-"), (".", "."), ("e5", "e5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_as_kubernetes_reads_them(text: str, value: Any) -> None:
    if text == "-":
        assert scalars.resolve(text) == value
        return
    found = one(f"a: {text}")["a"]
    assert found == value and type(found) is type(value)


REFUSED: list[tuple[str | bytes, int, str]] = [
    ("a: [1,\nb: }", 2, "did not find expected node content"),
    ('a: "x', 1, "unexpected end of stream"),
    ("a:\n\tb: 1", 2, "cannot start any token"),
    ("a: b: c", 1, "mapping values are not allowed"),
    ("a: 1\nb: \x07", 2, "control characters"),
    (b"a: 1\nb: \xff", 2, "not UTF-8"),
    ("a: \ud800", 1, "surrogate"),
    ("a: 1\nb: 2\na: 3", 3, 'the key "a" stands twice'),
    ("a: {b: 1, b: 2}", 1, 'the key "b" stands twice'),
    ("1: x", 1, "a key must be a string, this is the number 1: quote it"),
    ("yes: x", 1, "a key must be a string, this is the boolean true"),
    ("? [a]\n: b", 1, "a key must be a string, this is an object or array"),
    ("~: x", 1, "a key must be a string, this is null"),
    ("a: .inf", 1, "not a number in JSON"),
    ("a: .nan", 1, "not a number in JSON"),
    ("a: " + "9" * 5000, 1, "not a number in JSON"),
    ("z: 1\na: *b", 2, "*b stands for nothing"),
    ("a: &a [*a]", 1, "*a stands for nothing"),
    ("a: 1\nb: !!binary aGk=", 2, "tag"),
    ("a: !!python/object:os.system x", 1, "tag"),
    ("a: !x {b: 1}", 1, "tag"),
    ("a: !!int x", 1, "tag"),
    ("a: {<<: [1]}", 1, "merges objects"),
    ("[" * 100_000, 1, "nested deeper than 100"),
    ("a: " * 101 + "b", 1, "mapping values"),
    ('{"a":1,\n"a":2}', 1, 'the key "a" stands twice'),
    ('{"a":' * 200 + "1" + "}" * 200, 1, "nested deeper than 100"),
    ('{"a":' * 50_000 + "1" + "}" * 50_000, 1, "nested deeper than 100"),
    ("a: '" + "x" * documents.DOCUMENT_MAX_BYTES + "'\nb: 1", 2, "a document ends at 1572864"),
    ('{"a": "' + "x" * documents.DOCUMENT_MAX_BYTES + '"}', 1, "a document ends at 1572864"),
]


@pytest.mark.parametrize(("text", "line", "why"), REFUSED, ids=lambda x: str(x)[:30])
def test_what_is_refused_and_where(text: str | bytes, line: int, why: str) -> None:
    began = time.process_time()
    message = refused(text)
    assert message.startswith(f"line {line}: ") and why in message
    assert time.process_time() - began < 1


def test_aliases_are_copies_and_merge() -> None:
    tree = one("base: &b {x: 1, z: [2]}\nother: *b\nmerged: {<<: *b, x: 3}\n"
               "two: {<<: [{p: 1}, {p: 2, q: 2}]}")  # fmt: skip
    assert tree["other"] == tree["base"] and tree["other"] is not tree["base"]
    assert tree["merged"] == {"x": 3, "z": [2]}
    assert tree["two"] == {"p": 1, "q": 2}


def test_an_alias_bomb_is_defused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    began = time.process_time()
    assert "aliases expand to more than 100000 values" in refused("\n".join(lines))
    assert time.process_time() - began < 1


def test_too_much_text_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "TEXT_MAX_BYTES", 10)
    assert "is not read" in refused("a: 12345678")


def test_json_is_read_as_json() -> None:
    assert codec.load_yaml('{"a":\t[1, 2.5, null]}\n{"b": "\\u00e9"}\n') == [
        codec.Document({"a": [1, 2.5, None]}, 1),
        codec.Document({"b": "é"}, 2),
    ]
    assert one("{a: b}") == {"a": "b"}
    assert one("[1, 2]") == [1, 2]
    assert one(b"\xef\xbb\xbfa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": }', "line 1: not JSON: Expecting value at column 7"),
        (b'{"a": 1}\n{', "line 2: not JSON: Extra data"),
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b"[1e999]", "not a number in JSON"),
        (b"[" * 101 + b"]" * 101, "nested deeper"),
        (b"[" * 100_000, "nested deeper"),
        (b" " * (documents.DOCUMENT_MAX_BYTES + 1), "ends at"),
    ],
)
def test_bodies_that_are_no_json(data: bytes, why: str) -> None:
    with pytest.raises(ApiError, match=why) as caught:
        codec.load_json(data)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_a_body_is_one_tree() -> None:
    assert codec.load_json(b' [{"op": "test"}] ') == [{"op": "test"}]


def test_yaml_is_printed_as_kubernetes_does() -> None:
    tree = {
        "apiVersion": "v1", "data": {"script": "#!/bin/sh\necho hi\n", "on": "yes", "port": "80"},
        "list": [{"name": "a", "args": ["-x", "y: z"]}], "empty": {}, "none": None, "no": [],
        "time": "2026-01-01T00:00:00Z", "text": "", "count": 3, "flag": True,
    }  # fmt: skip
    assert codec.dump_yaml(tree) == (
        'apiVersion: v1\ndata:\n  script: |\n    #!/bin/sh\n    echo hi\n  "on": "yes"\n'
        "  port: \"80\"\nlist:\n- name: a\n  args:\n  - -x\n  - 'y: z'\nempty: {}\nnone: null\n"
        '"no": []\ntime: "2026-01-01T00:00:00Z"\ntext: ""\ncount: 3\nflag: true\n'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | texts(20)
    | st.sampled_from([text for text, _ in SCALARS if "!" not in text]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(8), inner),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=20)
@given(st.dictionaries(texts(8), JSON, min_size=1, max_size=4))
def test_what_is_printed_is_read_back(tree: dict[str, Any]) -> None:
    assert one(codec.dump_yaml(tree)) == tree
    assert one(json.dumps(tree)) == tree


def test_a_list_that_stands_twice_is_printed_twice() -> None:
    shared = ["x"]
    assert codec.dump_yaml({"a": shared, "b": shared}) == "a:\n- x\nb:\n- x\n"
