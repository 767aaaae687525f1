"""Label selectors: their text, their message, and which labels they select."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.meta.v1 import meta_pb2 as meta
from holdfast.api.selectors import (
    EVERYTHING,
    NOTHING,
    LabelSelector,
    Operator,
    Requirement,
    from_message,
    of_labels,
    parse_labels,
)

TABLE: list[tuple[str, dict[str, str], bool]] = [
    ("", {}, True),
    ("  ", {"a": "b"}, True),
    ("a=b", {"a": "b"}, True),
    ("a = b", {"a": "b"}, True),
    ("a==b", {"a": "c"}, False),
    ("a=b", {}, False),
    ("a=", {"a": ""}, True),
    ("a=", {}, False),
    ("a!=b", {"a": "c"}, True),
    ("a!=b", {}, True),
    ("a!=b", {"a": "b"}, False),
    ("a!=", {"a": ""}, False),
    ("a", {"a": "x"}, True),
    ("a", {}, False),
    ("!a", {}, True),
    ("! a", {"a": ""}, False),
    ("a in (x, y)", {"a": "y"}, True),
    ("a in (x,y)", {"a": "z"}, False),
    ("a in (x,y)", {}, False),
    ("a in (,x)", {"a": ""}, True),
    ("a in ()", {"a": ""}, True),
    ("a notin (x,y)", {}, True),
    ("a notin (x,y)", {"a": "x"}, False),
    ("a>3", {"a": "4"}, True),
    ("a>3", {"a": "3"}, False),
    ("a<3", {"a": "-2"}, True),
    ("a<3", {"a": "x"}, False),
    ("a>3", {}, False),
    ("a=b,c,!d,e in (f)", {"a": "b", "c": "", "e": "f"}, True),
    ("a=b,c,!d,e in (f)", {"a": "b", "c": "", "d": "", "e": "f"}, False),
    ("in=x,notin in (in)", {"in": "x", "notin": "in"}, True),
    ("example.com/tier=front", {"example.com/tier": "front"}, True),
]


@pytest.mark.parametrize(("text", "labels", "selected"), TABLE)
def test_which_labels_are_selected(text: str, labels: dict[str, str], selected: bool) -> None:
    selector = parse_labels(text)
    assert selector.matches(labels) is selected
    assert parse_labels(str(selector)) == selector


def test_a_map_field_is_only_read() -> None:
    pod = core.Pod()
    assert not parse_labels("a=b,c").matches(pod.metadata.labels)
    assert not pod.metadata.labels


REFUSED = [
    ("a=b,", "expected a label key, got the end"),
    (",", "expected a label key"),
    ("a b", 'expected an operator (=, !=, in, notin, <, >) after "a", got "b"'),
    ("a in x", 'expected "(" after "in", got "x"'),
    ("a in (x", 'expected ")" after the values, got the end'),
    ("a=b c=d", 'expected "," between requirements, got "c"'),
    ("=b", "expected a label key"),
    ("!a=b", "expected"),
    ("a>x", "needs an integer"),
    ("a>", "needs an integer"),
    ("-a=b", 'label key "-a"'),
    ("a/b/c=d", "an optional DNS subdomain prefix"),
    ("Example.com/a=b", "prefix"),
    ("/a=b", "prefix"),
    ("a/=b", "name part must be non-empty"),
    ("a" * 64, "no more than 63 bytes"),
    ("a=" + "b" * 64, "no more than 63 bytes"),
    ("a=b@c", 'value "b@c"'),
    ("a=-b", "value"),
    ("é=b", "label key"),
    ("a," * 10_000, "16384 characters"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED, ids=lambda x: str(x)[:20])
def test_bad_text_is_refused(text: str, why: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_labels(text)
    assert caught.value.reason is Reason.BAD_REQUEST
    assert why in caught.value.message


def test_absent_selects_nothing_and_empty_everything() -> None:
    assert from_message(None) is NOTHING and not NOTHING.matches({}) and not NOTHING.empty
    assert from_message(meta.LabelSelector()) == EVERYTHING
    assert EVERYTHING.matches({"a": "b"}) and EVERYTHING.empty


def test_the_message_means_what_the_text_means() -> None:
    message = meta.LabelSelector(matchLabels={"b": "2", "a": "1"})
    message.matchExpressions.add(key="c", operator="In", values=["x", "y"])
    message.matchExpressions.add(key="d", operator="NotIn", values=["z"])
    message.matchExpressions.add(key="e", operator="Exists")
    message.matchExpressions.add(key="f", operator="DoesNotExist")
    assert from_message(message) == parse_labels("a=1,b=2,c in (x,y),d!=z,e,!f")


@pytest.mark.parametrize(
    ("key", "operator", "values", "why"),
    [
        ("a", "Equals", [], 'operator "Equals" is none of In, NotIn, Exists, DoesNotExist'),
        ("a", "Gt", ["1"], 'operator "Gt"'),
        ("a", "In", [], "needs at least one value"),
        ("a", "Exists", ["x"], "takes no values"),
        ("", "Exists", [], "must be non-empty"),
        ("a", "In", ["@"], "value"),
    ],
)
def test_bad_expressions_are_refused(key: str, operator: str, values: list[str], why: str) -> None:
    message = meta.LabelSelector()
    message.matchExpressions.add(key=key, operator=operator, values=values)
    with pytest.raises(ApiError) as caught:
        from_message(message)
    assert why in caught.value.message


def test_the_selector_of_a_service() -> None:
    assert of_labels({"b": "2", "a": "1"}) == parse_labels("a=1,b=2")


WORDS = st.text("ab1", min_size=1, max_size=3)
REQUIREMENTS = st.one_of(
    st.builds(
        Requirement,
        WORDS,
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.frozensets(WORDS | st.just(""), min_size=1, max_size=3),
    ),
    st.builds(Requirement, WORDS, st.sampled_from([Operator.EXISTS, Operator.DOES_NOT_EXIST])),
    st.builds(
        Requirement,
        WORDS,
        st.sampled_from([Operator.GREATER, Operator.LESS]),
        st.integers(0, 99).map(lambda n: frozenset((str(n),))),
    ),
)


@given(st.lists(REQUIREMENTS, max_size=4))
def test_text_comes_back(requirements: list[Requirement]) -> None:
    selector = LabelSelector(tuple(requirements))
    assert parse_labels(str(selector)) == selector
