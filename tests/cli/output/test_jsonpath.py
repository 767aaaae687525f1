"""JSONPath templates, as kubectl's users write them."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api.errors import ApiError
from holdfast.cli.output import jsonpath

TREE: dict[str, Any] = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x"}},
            "status": {"ready": True, "replicas": 3},
            "ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53}],
        },
        {"metadata": {"name": "b"}, "status": {"replicas": 1}, "ports": []},
    ],
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("{.kind}", "List"),
        ("{$.kind}", "List"),
        ("{.items[0].metadata.name}", "a"),
        ("{.items[-1].metadata.name}", "b"),
        ("{.items[*].metadata.name}", "a b"),
        ("{.items[*]['metadata'].name}", "a b"),
        ("{.items[0:1].metadata.name}", "a"),
        ("{.items[0,1].metadata.name}", "a b"),
        ("{..port}", "80 53"),
        ("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "x"),
        ('{.items[?(@.metadata.name=="b")].status.replicas}', "1"),
        ("{.items[?(@.status.replicas > 2)].metadata.name}", "a"),
        ("{.items[?(@.status.ready)].metadata.name}", "a"),
        ('{.items[0].ports[?(@.name=="http")].port}', "80"),
        ('{range .items[*]}{.metadata.name}{"\\n"}{end}', "a\nb\n"),
        ("{range .items[*]}{.metadata.name}:{range .ports[*]}{.port},{end};{end}", "a:80,53,;b:;"),
        ("{.missing}", ""),
        ("{.missing.deeper[0]}", ""),
        ("{.items[0].status}", '{"ready":true,"replicas":3}'),
        ("{.items[0].status.ready}", "true"),
        ('{"{}"}', "{}"),
    ],
)
def test_templates(template: str, expected: str) -> None:
    assert jsonpath.render(template, TREE) == expected


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{.a", "a brace is not closed"),
        ("{range .items[*]}", '"range" without "end"'),
        ("{end}", '"end" without "range"'),
        ("{.items[0}", "a bracket is not closed"),
        ("{.items[x]}", "neither an index"),
        ("{kind}", "starts with"),
    ],
)
def test_broken_templates_say_why(template: str, why: str) -> None:
    with pytest.raises(ApiError, match=why.replace("[", r"\[")) as caught:
        jsonpath.render(template, TREE)
    assert "JSONPath" in caught.value.message


@pytest.mark.parametrize("path", [".kind", "kind", "{.kind}", "$.kind"])
def test_values_takes_every_way_to_write_a_path(path: str) -> None:
    assert jsonpath.values(path, TREE) == ["List"]
