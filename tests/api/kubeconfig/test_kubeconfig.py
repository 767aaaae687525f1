"""Kubeconfig files: ours read back, several merged, foreign ones left alone, clear errors."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.api import kubeconfig
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason

ENDPOINT = Endpoint(("127.0.0.1:6444", "10.0.0.2:6444"), b"CA", b"CERT", b"KEY")
SERVER = "https://127.0.0.1:6443"


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "admin.kubeconfig"
    kubeconfig.write(path, kubeconfig.ours(ENDPOINT, SERVER))
    return path


FOREIGN = """
apiVersion: v1
kind: Config
# kept by its owner
clusters:
- name: work
  cluster: {server: "https://work:6443", certificate-authority-data: Q0E=}
users:
- name: me
  user: {token: abc}
contexts:
- name: work
  context: {cluster: work, user: me, namespace: team}
current-context: work
preferences: {colors: true}
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(FOREIGN)
    return path


def test_ours_reads_back_and_is_private(ours: Path) -> None:
    assert kubeconfig.load((ours,)) == ENDPOINT
    assert kubeconfig.load((ours,), "holdfast") == ENDPOINT
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600
    tree = yaml.safe_load(ours.read_text())
    assert tree["clusters"][0]["cluster"]["server"] == SERVER
    kubeconfig.write(ours, kubeconfig.ours(ENDPOINT, "https://other:6443"))


def test_files_come_from_the_flag_the_environment_or_home(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": "/a:/b:"}
    assert kubeconfig.paths("/x", environment, tmp_path) == (Path("/x"),)
    assert kubeconfig.paths(None, environment, tmp_path) == (Path("/a"), Path("/b"))
    assert kubeconfig.paths(None, {}, tmp_path) == (tmp_path / ".kube" / "config",)


def test_the_first_file_wins_and_missing_ones_do_not_matter(
    ours: Path, foreign: Path, tmp_path: Path
) -> None:
    config = kubeconfig.read((tmp_path / "missing", foreign, ours))
    assert config.current == "work"
    assert [(c.name, c.current) for c in kubeconfig.contexts(config)] == [
        ("holdfast", False),
        ("work", True),
    ]
    assert kubeconfig.endpoint(config, "holdfast") == ENDPOINT
    assert kubeconfig.namespace(config) == "team"
    assert kubeconfig.namespace(config, "holdfast") == "default"


def test_use_context_changes_one_word_of_the_file_that_says_it(ours: Path, foreign: Path) -> None:
    before = ours.read_bytes()
    config = kubeconfig.read((foreign, ours))
    assert kubeconfig.use_context(config, "holdfast") == foreign
    assert ours.read_bytes() == before
    tree = yaml.safe_load(foreign.read_text())
    assert tree == {**yaml.safe_load(FOREIGN), "current-context": "holdfast"}
    assert kubeconfig.load((foreign, ours)) == ENDPOINT
    with pytest.raises(ApiError, match='there is no context "x" in ') as caught:
        kubeconfig.use_context(config, "x")
    assert caught.value.reason is Reason.NOT_FOUND


def test_a_foreign_file_is_not_overwritten(foreign: Path) -> None:
    with pytest.raises(ApiError, match="holds other clusters: it is not overwritten"):
        kubeconfig.write(foreign, kubeconfig.ours(ENDPOINT, SERVER))
    assert foreign.read_text() == FOREIGN


def test_merging_keeps_what_is_not_ours(foreign: Path) -> None:
    link = foreign.with_name("link")
    link.symlink_to(foreign)
    for _ in range(2):
        kubeconfig.merge_into(link, kubeconfig.ours(ENDPOINT, SERVER))
    assert link.is_symlink()
    tree = yaml.safe_load(foreign.read_text())
    assert [item["name"] for item in tree["clusters"]] == ["work", "holdfast"]
    assert tree["users"][0] == {"name": "me", "user": {"token": "abc"}}
    assert tree["preferences"] == {"colors": True}
    assert tree["current-context"] == "holdfast"
    assert kubeconfig.load((foreign,)) == ENDPOINT


def test_merging_into_nothing_makes_a_file(tmp_path: Path) -> None:
    path = tmp_path / ".kube" / "config"
    kubeconfig.merge_into(path, kubeconfig.ours(ENDPOINT, SERVER))
    assert kubeconfig.load((path,)) == ENDPOINT
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_certificates_may_stand_in_files_beside(ours: Path) -> None:
    tree = yaml.safe_load(ours.read_text())
    (ours.parent / "me.crt").write_bytes(b"FROM A FILE")
    user = tree["users"][0]["user"]
    del user["client-certificate-data"]
    user["client-certificate"] = "me.crt"
    ours.write_text(yaml.safe_dump(tree))
    assert kubeconfig.load((ours,)).certificate_pem == b"FROM A FILE"
    user["client-certificate"] = "gone.crt"
    ours.write_text(yaml.safe_dump(tree))
    with pytest.raises(ApiError, match=r"cannot read client-certificate gone\.crt: No such file"):
        kubeconfig.load((ours,))


def test_without_any_file_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match=r"there is no kubeconfig at .*/a, .*/b: start") as caught:
        kubeconfig.load((tmp_path / "a", tmp_path / "b"))
    assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1, 2", "line 2: broken YAML"),
        ("clusters:\n- name: x\n  cluster: {\n", "line 4: broken YAML"),
        ("a: !!python/object:os.system x", "line 1: broken YAML"),
        ("- 1", "is not a kubeconfig"),
        ("kind: Pod", "is not a kubeconfig"),
        ("clusters: [{name: 1}]", r"clusters\[0\] must have a name and a cluster"),
        ("users: [{name: a, user: b}]", r"users\[0\] must have a name and a user"),
        ("contexts: {a: b}", r"contexts\[0\] must have a name and a context"),
        ("current-context: [a]", "current-context must be a string"),
        ("", "has no current context"),
        ("current-context: x", 'there is no context "x"'),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]",
            'context "x" names an unknown cluster "c"',
        ),
        (FOREIGN, 'cluster "work" in .* is not a Holdfast cluster: it has no extension'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ApiError, match=says) as caught:
        kubeconfig.load((path,))
    assert str(path) in caught.value.message


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ApiError, match="is not UTF-8 text"):
        kubeconfig.load((path,))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"certificate-authority-data": "%%%"}, "certificate-authority-data is not base64"),
        ({"certificate-authority-data": None}, "has no certificate-authority-data"),
        ({"extensions": []}, "it has no extension"),
        (
            {"extensions": [{"name": kubeconfig.EXTENSION, "extension": {"endpoints": []}}]},
            "must hold endpoints",
        ),
        ({"extensions": [{"name": kubeconfig.EXTENSION}]}, "must hold endpoints"),
    ],
)
def test_a_cluster_that_lacks_something_is_named(
    ours: Path, change: dict[str, Any], says: str
) -> None:
    tree = yaml.safe_load(ours.read_text())
    tree["clusters"][0]["cluster"].update(change)
    ours.write_text(yaml.safe_dump(tree))
    with pytest.raises(ApiError, match=says) as caught:
        kubeconfig.load((ours,))
    assert 'cluster "holdfast"' in caught.value.message


def test_data_is_base64_on_one_line(ours: Path) -> None:
    packed = yaml.safe_load(ours.read_text())["users"][0]["user"]["client-key-data"]
    assert base64.b64decode(packed) == b"KEY"
