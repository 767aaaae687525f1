"""Pods of one template share one validation.

A controller creates hundreds of pods with the same spec, people create pods that differ in an
argument or a variable. The first one is defaulted, checked and remembered; the others start from
what came out: by the bytes their spec came with, or by its shape, which is the spec without the
texts that no rule reads. Pure module.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from holdfast.api.core.v1 import core_pb2

T = TypeVar("T")

TEMPLATES_MAX = 512
TEMPLATE_BYTES_MAX = 64 << 10
ANY_TEXT = "x"


class _Shape(NamedTuple):
    """What pods of one shape have in common.

    stored: the bytes behind the metadata, without the containers' commands, arguments and
    variables. sources: for each container, where a variable has a source and what is stored of it.
    """

    stored: bytes
    sources: tuple[tuple[tuple[int, bytes], ...], ...]


class ProvenTemplates:
    """The specs and shapes used last, each with what a stored pod of it has behind its metadata."""

    __slots__ = ("_shapes", "_specs")

    def __init__(self) -> None:
        self._specs: OrderedDict[bytes, bytes] = OrderedDict()
        self._shapes: OrderedDict[bytes, _Shape] = OrderedDict()

    def find(self, spec: Any) -> bytes:
        """The stored bytes behind the metadata of a pod that is sent with this spec, b"" when
        nothing like it has been proven."""
        sent = spec.SerializeToString(deterministic=True)
        found = _used(self._specs, sent)
        if found is None:
            shape = _used(self._shapes, _shape_bytes(spec))
            if shape is None:
                return b""
            found = _filled(shape, spec)
            _keep(self._specs, sent, found)
        return found

    def learn(self, spec: Any, stored: bytes) -> None:
        """Remember a spec that passed every check, and what is stored behind the metadata."""
        _keep(self._shapes, _shape_bytes(spec), _shape(stored))
        _keep(self._specs, spec.SerializeToString(deterministic=True), stored)


def _used(known: OrderedDict[bytes, T], key: bytes) -> T | None:
    found = known.get(key)
    if found is not None:
        known.move_to_end(key)
    return found


def _keep(known: OrderedDict[bytes, T], key: bytes, value: T) -> None:
    if len(key) > TEMPLATE_BYTES_MAX:
        return
    known[key] = value
    if len(known) > TEMPLATES_MAX:
        known.popitem(last=False)


def _shape_bytes(spec: Any) -> bytes:
    """What of a spec the rules read. Whether a variable has a value does matter."""
    shape = core_pb2.PodSpec()
    shape.CopyFrom(spec)
    for container in _containers(shape):
        container.ClearField("command")
        container.ClearField("args")
        for variable in container.env:
            if variable.value:
                variable.value = ANY_TEXT
    return shape.SerializeToString(deterministic=True)


def _shape(stored: bytes) -> _Shape:
    pod = core_pb2.Pod.FromString(stored)
    sources = tuple(
        tuple(
            (index, variable.valueFrom.SerializeToString(deterministic=True))
            for index, variable in enumerate(container.env)
            if variable.HasField("valueFrom")
        )
        for container in _containers(pod.spec)
    )
    for container in _containers(pod.spec):
        for field in ("command", "args", "env"):
            container.ClearField(field)
    return _Shape(pod.SerializeToString(deterministic=True), sources)


def _filled(shape: _Shape, spec: Any) -> bytes:
    """What is stored of a proven shape, with the texts of this spec."""
    pod = core_pb2.Pod.FromString(shape.stored)
    pairs = zip(_containers(pod.spec), _containers(spec), shape.sources, strict=True)
    for container, sent, sources in pairs:
        container.command.MergeFrom(sent.command)
        container.args.MergeFrom(sent.args)
        container.env.MergeFrom(sent.env)
        for index, source in sources:
            container.env[index].valueFrom.ParseFromString(source)
    return pod.SerializeToString(deterministic=True)


def _containers(spec: Any) -> Iterator[Any]:
    yield from spec.containers
    yield from spec.initContainers
