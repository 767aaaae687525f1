"""ConfigMap and Secret volumes: their files, and the one step that replaces them."""

from __future__ import annotations

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.volumes import files, mounting, projection
from holdfast.node.volumes.files import File, VolumeError


def source(*items, optional=False, mode=None):
    built = core.ConfigMapVolumeSource()
    built.localObjectReference.name = "cfg"
    for key, path in items:
        built.items.add(key=key, path=path)
    built.optional = optional
    if mode is not None:
        built.defaultMode = mode
    return built


def config_map(**data):
    built = core.ConfigMap()
    for key, value in data.items():
        built.data[key] = value
    return built


def test_every_key_is_a_file_unless_items_choose():
    found = config_map(a="1", b="2")
    assert files.of_config_map(source(), found) == {"a": File(b"1", 0o644), "b": File(b"2", 0o644)}
    chosen = files.of_config_map(source(("b", "sub/c"), mode=0o400), found)
    assert chosen == {"sub/c": File(b"2", 0o400)}


@pytest.mark.parametrize(
    ("wanted", "found", "message"),
    [
        (source(), None, 'configmap "cfg" not found'),
        (source(("x", "x")), config_map(a="1"), 'configmap "cfg" has no key x'),
        (source(("a", "../etc")), config_map(a="1"), "leads out of the volume"),
        (source(("a", "/etc")), config_map(a="1"), "leads out of the volume"),
    ],
)
def test_what_cannot_be_had_is_named(wanted, found, message):
    with pytest.raises(VolumeError, match=message):
        files.of_config_map(wanted, found)


def test_optional_ones_may_be_missing():
    assert files.of_config_map(source(optional=True), None) == {}


def test_a_volume_changes_in_one_step(tmp_path):
    volume = tmp_path / "volume"
    assert projection.write(volume, {"a": File(b"1", 0o600), "d/b": File(b"2", 0o644)}, "v1")
    assert (volume / "a").read_bytes() == b"1"
    assert (volume / "a").stat().st_mode & 0o777 == 0o600
    assert (volume / "d" / "b").read_bytes() == b"2"
    first = (volume / "..data").resolve()
    assert not projection.write(volume, {"a": File(b"1", 0o600), "d/b": File(b"2", 0o644)}, "v2")
    assert projection.write(volume, {"a": File(b"3", 0o600)}, "v3")
    assert (volume / "a").read_bytes() == b"3"
    assert not (volume / "d").is_symlink()
    assert not first.exists()
    assert sorted(path.name for path in volume.iterdir()) == ["..data", "..v3", "a"]


def test_an_empty_volume_is_a_volume(tmp_path):
    assert projection.write(tmp_path / "v", {}, "v1")
    assert not projection.write(tmp_path / "v", {}, "v2")


def test_host_paths_stay_where_they_are(tmp_path):
    pod = core.Pod()
    pod.spec.volumes.add(name="host").volumeSource.hostPath.path = "/srv/x"
    pod.spec.volumes.add(name="data").volumeSource.emptyDir.SetInParent()
    found = mounting.paths(pod, tmp_path)
    assert str(found["host"]) == "/srv/x"
    assert found["data"] == tmp_path / "volumes" / "emptyDir" / "data"
