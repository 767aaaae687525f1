"""The normal form: whatever way an object came, equal ones have equal bytes."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from bench.codec import FULL
from holdfast.api import codec
from holdfast.api.codec.fields import Many, fields_of
from holdfast.api.codec.forms import ZERO_QUANTITY
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.meta.v1 import meta_pb2 as meta


def as_go_writes(message: Any) -> None:
    """Set every field that is not a pointer, as Go's encoder does; below what is there too."""
    for field in fields_of(message.DESCRIPTOR):
        if field.many is not Many.ONE:
            if field.many is Many.LIST and field.message is not None:
                for item in getattr(message, field.name):
                    as_go_writes(item)
            continue
        if field.message is not None:
            present = message.HasField(field.name)
            if field.pointer and not present:
                continue
            child = getattr(message, field.name)
            child.SetInParent()
            if field.message.name == "Quantity":
                child.string = child.string or "0"
            elif field.message.name not in ("Time", "MicroTime"):
                as_go_writes(child)
            elif present:
                child.nanos = 0
        elif not field.pointer:
            setattr(message, field.name, getattr(message, field.name))


def bytes_of(message: Any) -> bytes:
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def test_what_go_writes_becomes_what_json_says() -> None:
    pod, _ = codec.from_json(core.Pod, FULL)
    pod.spec.containers[0].env.add(name="CPU").valueFrom.resourceFieldRef.resource = "limits.cpu"
    wanted = bytes_of(pod)
    as_go_writes(pod)
    assert ZERO_QUANTITY in bytes_of(pod) and len(bytes_of(pod)) > len(wanted) + 100
    codec.normalize(pod)
    assert bytes_of(pod) == wanted


def test_json_is_normal_already() -> None:
    tree = {"metadata": {"name": "", "labels": {"a": ""}, "creationTimestamp": None}, "spec": {}}
    pod, _ = codec.from_json(core.Pod, tree)
    before = bytes_of(pod)
    codec.normalize(pod)
    assert bytes_of(pod) == before


def test_pointers_elements_and_entries_are_kept() -> None:
    pod = core.Pod()
    pod.spec.containers.add()
    pod.spec.securityContext.SetInParent()
    pod.spec.priority = 0
    pod.metadata.labels["a"] = ""
    pod.metadata.finalizers.append("")
    before = bytes_of(pod)
    codec.normalize(pod)
    assert bytes_of(pod) == before


def test_the_first_second_of_1970_is_kept() -> None:
    pod = core.Pod()
    pod.metadata.creationTimestamp.seconds = 0
    pod.metadata.creationTimestamp.nanos = 0
    codec.normalize(pod)
    assert pod.metadata.creationTimestamp.HasField("seconds")
    assert not pod.metadata.creationTimestamp.HasField("nanos")


def test_an_emptied_message_goes_with_its_parents() -> None:
    pod = core.Pod()
    pod.spec.containers.add(name="web").resources.SetInParent()
    pod.status.message = ""
    codec.normalize(pod)
    assert not pod.HasField("status") and not pod.spec.containers[0].HasField("resources")


def test_unknown_fields_do_not_confuse() -> None:
    # A group, a length and a tag written with more bytes than needed: all valid for protobuf.
    unknown = b"\xfb\x3f\x08\x00\xfc\x3f" + b"\xfa\x3f\x81\x00x" + b"\xf8\xbf\x00\x00"
    meta_data = meta.ObjectMeta.FromString(meta.ObjectMeta(uid="u").SerializeToString() + unknown)
    meta_data.name = ""
    codec.normalize(meta_data)
    assert not meta_data.HasField("name") and meta_data.uid == "u"


@given(st.binary(max_size=40))
def test_bytes_of_any_message_are_walked_to_their_end(data: bytes) -> None:
    try:
        pod = core.Pod.FromString(data)
    except DecodeError:
        return
    codec.normalize(pod)
    once = bytes_of(pod)
    codec.normalize(pod)
    assert bytes_of(pod) == once
