"""Objects written as JSON trees, the way people write them, for every test of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.api import codec, kinds, objects
from holdfast.api.errors import Cause
from holdfast.api.kinds import Kind

Tree = dict[str, Any]


class Judge:
    """Takes a tree the way of a write: decode, normalise, default, then asks the rules."""

    def read(self, resource: str, tree: Tree) -> tuple[Kind, Any]:
        kind = kinds.by_resource(resource)
        message, causes = codec.from_json(kind.message, tree)
        assert not causes, causes
        codec.normalize(message)
        objects.default(kind, message)
        return kind, message

    def defaulted(self, resource: str, tree: Tree) -> Tree:
        return codec.to_json(self.read(resource, tree)[1])

    def causes(self, resource: str, tree: Tree) -> list[str]:
        return _texts(objects.validate(*self.read(resource, tree)))

    def unbuilt(self, resource: str, tree: Tree) -> list[str]:
        return _texts(objects.unbuilt(*self.read(resource, tree)))

    def update(self, resource: str, old: Tree, new: Tree) -> list[str]:
        kind, before = self.read(resource, old)
        _, after = self.read(resource, new)
        kept = before.SerializeToString(deterministic=True)
        found = _texts(objects.validate_update(kind, before, after))
        assert before.SerializeToString(deterministic=True) == kept, "it changed the old object"
        return found


def _texts(causes: list[Cause]) -> list[str]:
    return [str(cause) for cause in causes]


@pytest.fixture
def judge() -> Judge:
    return Judge()


def _meta(name: str = "web", **fields: Any) -> Tree:
    return {"name": name, "namespace": "default", **fields}


@pytest.fixture
def pod() -> Callable[..., Tree]:
    """A pod with one plain container; arguments replace fields of its spec."""

    def make(**spec: Any) -> Tree:
        return {"metadata": _meta(), "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}

    return make


@pytest.fixture
def container(pod: Callable[..., Tree]) -> Callable[..., Tree]:
    """A pod whose one container has the fields given."""

    def make(**fields: Any) -> Tree:
        volumes = [{"name": "data", "emptyDir": {}}]
        return pod(containers=[{"name": "c", "image": "i", **fields}], volumes=volumes)

    return make


@pytest.fixture
def deployment() -> Callable[..., Tree]:
    """A Deployment of one plain container; arguments replace fields of its spec."""

    def make(**spec: Any) -> Tree:
        template = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        selector = {"matchLabels": {"app": "web"}}
        return {"metadata": _meta(), "spec": {"selector": selector, "template": template, **spec}}

    return make


@pytest.fixture
def service() -> Callable[..., Tree]:
    """A Service on port 80; arguments replace fields of its spec."""

    def make(**spec: Any) -> Tree:
        return {"metadata": _meta(), "spec": {"ports": [{"port": 80}], **spec}}

    return make
