"""Pods of one template share one validation.

A controller creates hundreds of pods with the same spec, people create pods that differ in an
argument or a variable. The first one is defaulted, checked and remembered; the others start from
what came out: by the bytes their spec came with, or by its shape, which is the spec without the
texts that no rule reads. Pure module.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from holdfast.api.core.v1 import core_pb2

TEMPLATES_MAX = 512
TEMPLATE_BYTES_MAX = 64 << 10
ANY_TEXT = "x"


class ProvenTemplates:
    """The specs and shapes used last, each with what a stored pod of it has behind its metadata."""

    __slots__ = ("_shapes", "_specs")

    def __init__(self) -> None:
        self._specs: OrderedDict[bytes, bytes] = OrderedDict()
        self._shapes: OrderedDict[bytes, bytes] = OrderedDict()

    def find(self, spec: Any) -> bytes:
        """The stored bytes behind the metadata of a pod that is sent with this spec, b"" when
        nothing like it has been proven."""
        sent = spec.SerializeToString(deterministic=True)
        found = _used(self._specs, sent)
        if not found and (shape := _used(self._shapes, _shape_bytes(spec))):
            found = _filled(shape, spec)
            _keep(self._specs, sent, found)
        return found

    def learn(self, spec: Any, stored: bytes) -> None:
        """Remember a spec that passed every check, and what is stored behind the metadata."""
        pod = core_pb2.Pod.FromString(stored)
        _blank(pod.spec)
        _keep(self._shapes, _shape_bytes(spec), pod.SerializeToString(deterministic=True))
        _keep(self._specs, spec.SerializeToString(deterministic=True), stored)


def _used(known: OrderedDict[bytes, bytes], key: bytes) -> bytes:
    found = known.get(key, b"")
    if found:
        known.move_to_end(key)
    return found


def _keep(known: OrderedDict[bytes, bytes], key: bytes, stored: bytes) -> None:
    if len(key) > TEMPLATE_BYTES_MAX:
        return
    known[key] = stored
    if len(known) > TEMPLATES_MAX:
        known.popitem(last=False)


def _containers(spec: Any) -> Iterator[Any]:
    yield from spec.containers
    yield from spec.initContainers


def _shape_bytes(spec: Any) -> bytes:
    shape = core_pb2.PodSpec()
    shape.CopyFrom(spec)
    _blank(shape)
    return shape.SerializeToString(deterministic=True)


def _blank(spec: Any) -> None:
    """Make equal what no rule reads. Whether a variable has a value does matter."""
    for container in _containers(spec):
        container.ClearField("command")
        container.ClearField("args")
        for variable in container.env:
            if variable.value:
                variable.value = ANY_TEXT


def _filled(shape: bytes, spec: Any) -> bytes:
    """What is stored of a proven shape, with the texts of this spec."""
    pod = core_pb2.Pod.FromString(shape)
    for container, sent in zip(_containers(pod.spec), _containers(spec), strict=True):
        container.command.extend(sent.command)
        container.args.extend(sent.args)
        for variable, given in zip(container.env, sent.env, strict=True):
            if given.value:
                variable.value = given.value
    return pod.SerializeToString(deterministic=True)
