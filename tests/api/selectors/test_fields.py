"""Field selectors: their text, and that only what a kind offers can be asked for."""

from __future__ import annotations

import pytest

from holdfast.api import kinds
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.selectors import parse_fields

PODS = kinds.by_resource("pods")


def pod() -> core.Pod:
    pod = core.Pod()
    pod.metadata.name = "web,1=x"
    pod.spec.nodeName = "node-1"
    pod.status.phase = "Running"
    return pod


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("spec.nodeName=node-1", True),
        ("spec.nodeName==node-1", True),
        ("spec.nodeName!=node-1", False),
        ("spec.nodeName=", False),
        ("spec.nodeName!=", True),
        ("status.phase=Running,spec.nodeName=node-1", True),
        ("status.phase=Running,spec.nodeName=node-2", False),
        ("status.phase=Running,", True),
        (r"metadata.name=web\,1\=x", True),
        (r"metadata.name=web\\", False),
    ],
)
def test_which_objects_are_selected(text: str, selected: bool) -> None:
    selector = parse_fields(text, PODS)
    assert selector.matches(pod()) is selected
    assert str(parse_fields(str(selector), PODS)) == str(selector)


def test_equality_can_be_found_by_index() -> None:
    selector = parse_fields("spec.nodeName=n,status.phase!=Failed", PODS)
    assert selector.required == {"spec.nodeName": "n"}
    assert not selector.empty and parse_fields("", PODS).empty


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("spec.foo=1", "field label not supported: spec.foo"),
        ("spec.nodeName", "has no =, == or !="),
        ("spec.nodeName=a=b", r"write \= inside a value"),
        ("spec.nodeName=a\\b", "a backslash keeps only"),
        ("spec.nodeName=a\\", "a backslash keeps only"),
        ("x" * 20_000, "16384"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_bad_text_is_refused(text: str, why: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_fields(text, PODS)
    assert caught.value.reason is Reason.BAD_REQUEST
    assert why in caught.value.message
