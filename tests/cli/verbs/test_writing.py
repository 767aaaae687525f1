"""apply, create, replace, edit, patch, label, annotate, diff, delete."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.cli import objects
from tests.cli.running import Cluster


def color(here: Cluster, name: str) -> str:
    return here.run("get", "cm", name, "-o", "jsonpath={.data.color}")


def test_apply_creates_changes_and_leaves_alone(here: Cluster, files: Path) -> None:
    path = files / "c.yaml"
    path.write_text(objects.config("c"))
    assert here.run("apply", "-f", "c.yaml") == "configmap/c created\n"
    assert here.run("apply", "-f", "c.yaml") == "configmap/c unchanged\n"
    here.run("patch", "cm", "c", "-p", '{"data":{"other":"kept"}}')
    path.write_text(objects.config("c", "blue"))
    assert here.run("apply", "-f", "c.yaml") == "configmap/c configured\n"
    assert here.run("get", "cm", "c", "-o", "jsonpath={.data}") == '{"color":"blue","other":"kept"}'
    path.write_text(objects.config("c").replace("color: red", "size: big"))
    here.run("apply", "-f", "c.yaml")
    assert here.run("get", "cm", "c", "-o", "jsonpath={.data}") == '{"other":"kept","size":"big"}'


def test_apply_takes_directories_and_standard_input(here: Cluster, files: Path) -> None:
    (files / "below").mkdir()
    (files / "d1.yaml").write_text(objects.config("d1"))
    (files / "below/d2.json").write_text(
        '{"apiVersion":"v1","kind":"List","items":['
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d2"}}]}'
    )
    (files / "notes.txt").write_text("no manifest")
    assert here.run("apply", "-f", ".") == "configmap/d1 created\n"
    assert "configmap/d2 created" in here.run("apply", "-R", "-f", ".")
    assert here.run("apply", "-f", "-", stdin=objects.config("d3")) == "configmap/d3 created\n"


def test_apply_goes_on_after_a_refused_object(here: Cluster, files: Path) -> None:
    names = ("e1", "Not_A_Name", "e2")
    (files / "e.yaml").write_text("---\n".join(map(objects.config, names)))
    result = here.attempt("apply", "-f", "e.yaml")
    assert result.code == 1
    assert result.lines == ["configmap/e1 created", "configmap/e2 created"]
    assert result.err.startswith(
        'error: e.yaml:8: ConfigMap "Not_A_Name" is invalid: metadata.name'
    )


def test_apply_reads_every_file_before_the_first_write(here: Cluster, files: Path) -> None:
    (files / "1.yaml").write_text(objects.config("never"))
    (files / "2.yaml").write_text(objects.config("x").replace("\ndata:", "\ndta:"))
    (files / "3.yaml").write_text("a: [")
    error = here.refused("apply", "-f", ".")
    assert 'unknown field "dta", did you mean "data"?' in error
    assert "2.yaml:1: " in error and "3.yaml:2: " in error
    here.refused("get", "cm", "never")


def test_apply_dry_runs_change_nothing(here: Cluster) -> None:
    for word, note in (("client", "dry run"), ("server", "server dry run")):
        out = here.run("apply", "-f", "-", f"--dry-run={word}", stdin=objects.config("dry"))
        assert out == f"configmap/dry created ({note})\n"
    here.refused("get", "cm", "dry")


def test_apply_prunes_what_left_the_files(here: Cluster) -> None:
    both = "---\n".join(
        objects.config(name).replace("\ndata:", "\n  labels: {set: p}\ndata:")
        for name in ("p1", "p2")
    )
    here.run("apply", "-f", "-", stdin=both)
    out = here.run("apply", "-f", "-", "--prune", "-l", "set=p", stdin=both.split("---\n")[0])
    assert out == "configmap/p1 unchanged\nconfigmap/p2 pruned\n"
    here.refused("get", "cm", "p2")


def test_create_from_a_file_and_from_flags(here: Cluster, files: Path) -> None:
    (files / "f.yaml").write_text(objects.config("f"))
    (files / "env").write_text("# a comment\nA=1\n\nB=2=3\n")
    assert here.run("create", "-f", "f.yaml") == "configmap/f created\n"
    assert here.refused("create", "-f", "f.yaml") == 'f.yaml:1: configmaps "f" already exists'
    flags = ("--from-literal=x=y", "--from-file=f.yaml", "--from-file=g=f.yaml")
    here.run("create", "configmap", "g", *flags, "--from-env-file=env")
    data = json.loads(here.run("get", "cm", "g", "-o", "jsonpath={.data}"))
    assert data.keys() == {"x", "f.yaml", "g", "A", "B"}
    assert (data["B"], data["g"]) == ("2=3", objects.config("f"))


def test_create_secrets_service_accounts_and_services(here: Cluster) -> None:
    here.run("create", "secret", "generic", "s", "--from-literal=k=v")
    assert here.run("get", "secret", "s", "-o", "jsonpath={.data.k}") == "dg=="
    here.run("create", "serviceaccount", "robot")
    here.run("create", "service", "clusterip", "svc", "--tcp=80:8080")
    port = json.loads(here.run("get", "svc", "svc", "-o", "jsonpath={.spec.ports[0]}"))
    assert (port["port"], port["targetPort"]) == (80, 8080)


def test_create_shows_what_it_would_send(here: Cluster) -> None:
    out = here.run(
        "create", "deployment", "d", "--image=a/b:1", "--dry-run=client", "-o", "yaml", "--", "sh"
    )
    assert "image: a/b:1" in out and "name: b" in out and "- sh" in out
    here.refused("get", "deployment", "d")


def test_replace_needs_the_revision_that_is_there(here: Cluster, files: Path) -> None:
    here.run("apply", "-f", "-", stdin=objects.config("r"))
    text = here.run("get", "cm", "r", "-o", "yaml")
    (files / "r.yaml").write_text(text.replace("color: red", "color: green"))
    assert here.run("replace", "-f", "r.yaml") == "configmap/r replaced\n"
    assert color(here, "r") == "green"
    error = here.refused("replace", "-f", "r.yaml")
    assert 'r.yaml:1: operation cannot be fulfilled on configmaps "r"' in error
    (files / "r.yaml").write_text(objects.config("r", "black"))
    assert here.run("replace", "--force", "-f", "r.yaml") == "configmap/r replaced\n"
    assert color(here, "r") == "black"
    (files / "none.yaml").write_text(objects.config("none"))
    assert "not found" in here.refused("replace", "-f", "none.yaml")


def test_edit_sends_what_was_changed(
    here: Cluster, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.run("apply", "-f", "-", stdin=objects.config("ed"))
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/red/violet/")
    assert here.run("edit", "cm/ed") == "configmap/ed edited\n"
    assert color(here, "ed") == "violet"
    monkeypatch.setenv("KUBE_EDITOR", "true")
    assert here.run("edit", "cm/ed") == "Edit cancelled, no changes made.\n"
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/^data:/dta:/")
    assert 'unknown field "dta"' in here.refused("edit", "cm/ed")
    monkeypatch.setenv("KUBE_EDITOR", "no-such-editor")
    assert "cannot start the editor" in here.refused("edit", "cm/ed")


def test_patch_in_three_ways_and_from_a_file(here: Cluster, files: Path) -> None:
    here.run("apply", "-f", "-", stdin=objects.config("pa"))
    here.run("patch", "cm", "pa", "-p", "data: {color: one}")
    assert color(here, "pa") == "one"
    here.run("patch", "cm/pa", "--type=merge", "-p", '{"data":{"color":"two"}}')
    assert color(here, "pa") == "two"
    (files / "p.json").write_text('[{"op":"replace","path":"/data/color","value":"three"}]')
    here.run("patch", "cm/pa", "--type=json", "--patch-file=p.json")
    assert color(here, "pa") == "three"
    assert "color: three" in here.run("patch", "cm/pa", "-p", "{}", "-o", "yaml")


def test_label_and_annotate(here: Cluster) -> None:
    here.run("apply", "-f", "-", stdin=objects.config("la"))
    assert here.run("label", "cm/la", "a=1", "b=2") == "configmap/la labeled\n"
    assert here.run("label", "cm/la", "a=1") == "configmap/la not labeled\n"
    assert "add --overwrite" in here.refused("label", "cm/la", "a=3")
    here.run("label", "cm/la", "a=3", "b-", "--overwrite")
    assert here.run("label", "cm/la", "--list") == "a=3\n"
    here.run("annotate", "cm", "la", "example.com/note=words here")
    assert "example.com/note=words here" in here.run("annotate", "cm/la", "--list")
    assert "metadata.labels" in here.refused("label", "cm/la", "a=not/valid!", "--overwrite")


def test_diff_shows_what_apply_would_change(here: Cluster, files: Path) -> None:
    (files / "di.yaml").write_text(objects.config("di"))
    result = here.attempt("diff", "-f", "di.yaml")
    assert result.code == 1 and "+  color: red" in result.out
    here.run("apply", "-f", "di.yaml")
    assert here.run("diff", "-f", "di.yaml") == ""
    (files / "di.yaml").write_text(objects.config("di", "blue"))
    result = here.attempt("diff", "-f", "di.yaml")
    assert "-  color: red\n+  color: blue" in result.out
    here.refused("diff", "-f", "missing.yaml", code=2)


def test_delete_by_name_by_selector_and_by_file(here: Cluster, files: Path) -> None:
    (files / "x.yaml").write_text("---\n".join(map(objects.config, ("x1", "x2", "x3", "x4"))))
    here.run("apply", "-f", "x.yaml")
    assert here.run("delete", "cm", "x1", "--dry-run=server") == (
        "configmap/x1 deleted (server dry run)\n"
    )
    result = here.attempt("delete", "cm", "x1", "gone")
    assert (result.code, result.out) == (1, "configmap/x1 deleted\n")
    assert here.run("delete", "cm", "gone", "--ignore-not-found") == ""
    here.run("label", "cm", "x2", "app=x")
    assert here.run("delete", "cm", "-l", "app=x", "-o", "name") == "configmap/x2\n"
    assert "x4 deleted" in here.run("delete", "-f", "x.yaml", "--ignore-not-found")


def test_delete_waits_until_a_pod_is_gone(here: Cluster) -> None:
    here.run("apply", "-f", "-", stdin=objects.pod("ends"))
    here.run("wait", "pod/ends", "--for=condition=Ready", "--timeout=20s")
    assert here.run("delete", "pod/ends", "--now") == "pod/ends deleted\n"
    here.refused("get", "pod/ends")


def test_data_that_is_no_text_goes_into_binary_data(here: Cluster, files: Path) -> None:
    (files / "blob").write_bytes(b"\xff\x00")
    here.run("create", "configmap", "bin", "--from-file=blob")
    shown = here.run("get", "cm", "bin", "-o", "jsonpath={.binaryData.blob}")
    assert base64.b64decode(shown) == b"\xff\x00"
