"""Bad input: each ends as one sentence that names what is wrong, an exit code, and no change."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from holdfast.api.tls import keys
from tests.cli import objects
from tests.cli.running import Cluster

GOOD = objects.pod("p")
BAD_MANIFESTS = {
    "unknown kind": (GOOD.replace("kind: Pod", "kind: Pot"), 'no kind "Pot" is registered'),
    "unknown version": (GOOD.replace("v1", "v7", 1), "Pod is served as v1"),
    "kind that is not built": (
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\n",
        "StatefulSet (apps/v1) is not built yet",
    ),
    "unknown field": (GOOD.replace("image:", "imgae:"), 'did you mean "image"?'),
    "wrong type": (
        GOOD + "  terminationGracePeriodSeconds: soon\n",
        "spec.terminationGracePeriodSeconds: expected integer, got string",
    ),
    "bad quantity": (
        GOOD + "    resources: {limits: {memory: lots}}\n",
        "spec.containers[0].resources.limits[memory]",
    ),
    "bad name": (GOOD.replace("name: p\n", "name: P_\n", 1), "metadata.name"),
    "bad label": (GOOD.replace("{app: p}", "{app: a b}"), "metadata.labels"),
    "missing field": (GOOD.replace("    image: demo\n", ""), "spec.containers[0].image"),
    "missing name": (GOOD.replace("  name: p\n", "", 1), "metadata.name"),
    "no apiVersion": (GOOD.replace("apiVersion: v1\n", ""), "apiVersion is not set"),
    "unknown namespace": (
        GOOD.replace("  name: p\n", "  name: p\n  namespace: nowhere\n", 1),
        'namespaces "nowhere" not found',
    ),
    "too large": (objects.config("big", "x" * (1536 * 1024)), "1572864 bytes"),
    "broken YAML": (GOOD + "  }\n", "bad.yaml:10: "),
    "a key twice": (GOOD + "spec: {}\n", 'bad.yaml:10: the key "spec" stands twice'),
    "no object": ("- 1\n", "bad.yaml:1: an object is expected here"),
    "nothing": ("# nothing\n", "no objects in bad.yaml"),
}


@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_bad_manifests(here: Cluster, files: Path, case: str) -> None:
    text, wanted = BAD_MANIFESTS[case]
    (files / "bad.yaml").write_text(text)
    assert wanted in here.refused("apply", "-f", "bad.yaml")
    assert "No resources found" in here.attempt("get", "pods").err


def test_invalid_utf8_and_empty_standard_input(here: Cluster) -> None:
    error = here.refused("apply", "-f", "-", stdin=b"a: 1\nb: \xff\n")
    assert error == "standard input:2: this is not UTF-8 text"
    assert here.refused("apply", "-f", "-", stdin="") == "no objects in standard input"


def test_missing_files(here: Cluster, files: Path) -> None:
    for verb in ("apply", "create", "delete", "replace", "get", "describe"):
        error = here.refused(verb, "-f", "gone.yaml")
        assert error == "cannot read gone.yaml: No such file or directory"
    error = here.refused("create", "configmap", "c", "--from-file=gone")
    assert error == "cannot read gone: No such file or directory"
    assert "cannot read gone" in here.refused("patch", "cm/x", "--patch-file=gone")


def test_immutable_fields_and_names_that_are_taken(here: Cluster) -> None:
    here.run("apply", "-f", "-", stdin=objects.SERVICE)
    error = here.refused("patch", "svc/web", "-p", '{"spec":{"clusterIP":"10.96.200.200"}}')
    assert "spec.clusterIP" in error
    assert "already exists" in here.refused("create", "-f", "-", stdin=objects.SERVICE)
    here.run("delete", "svc/web")


def test_a_file_in_another_namespace_than_the_flag(here: Cluster, files: Path) -> None:
    (files / "n.yaml").write_text(GOOD.replace("name: p\n", "name: p\n  namespace: one\n", 1))
    error = here.refused("apply", "-f", "n.yaml", "-n", "two")
    assert error == 'n.yaml:1: Pod "p" says namespace "one", but -n says "two"'


@pytest.mark.parametrize(
    ("line", "code", "wanted"),
    [
        ("get poods", 1, 'the server doesn\'t have a resource type "poods"'),
        ("get pods -l app=a=b", 1, "app=a=b"),
        ("get pods --field-selector spec.color=red", 1, "spec.color"),
        ("get pods -o yamml", 2, 'unknown output format "yamml"'),
        ("get pods -o jsonpath={.a", 1, "a brace is not closed"),
        ("get", 2, "name what you mean"),
        ("get pod/a svc", 2, '"svc" is not TYPE/NAME'),
        ("get pods,svc a", 2, "several types"),
        ("get pod a -l x=y", 2, "name objects or give a selector, not both"),
        ("get pod a -A", 2, "across all namespaces"),
        ("get pods --nope", 2, "No such option '--nope'"),
        ("frobnicate", 2, "No such command 'frobnicate'"),
        ("apply", 2, "-f FILE"),
        ("apply -f x --prune", 2, "--prune needs -l SELECTOR or --all"),
        ("delete pods", 2, "say which pods"),
        ("delete pod a --all", 2, "one of them"),
        ("delete pod a --grace-period=0", 2, "add --force"),
        ("delete pod a --timeout=long", 2, '"long" is no length of time'),
        ("delete pod a --cascade=maybe", 2, "--cascade"),
        ("scale deploy/a --replicas=-1", 2, "--replicas"),
        ("scale deploy/a --replicas=x", 2, "--replicas"),
        ("wait pod/a --for=sunshine", 2, "--for=sunshine is not understood"),
        ("label pod/a", 2, "KEY=VALUE"),
        ("label pod/a k=1 k-", 2, '"k" is given twice'),
        ("patch pod/a -p {", 1, "--patch: line 2"),
        ("patch pod/a", 2, "-p or with --patch-file"),
        ("create service clusterip s --tcp=x", 2, '--tcp: "x" is not PORT'),
        ("create configmap c --from-literal=x", 2, '--from-literal: "x" is not KEY=VALUE'),
        ("create --dry-run=client configmap c", 2, "flags go after the type"),
        ("run p --image=i --port=99999", 2, "--port"),
        ("run P! --image=i", 1, "metadata.name"),
        ("explain pods.spec.colour", 1, 'no field "colour"'),
        ("get pods --context=other", 1, 'there is no context "other"'),
    ],
)
def test_bad_words_and_flags(here: Cluster, line: str, code: int, wanted: str) -> None:
    assert wanted in here.refused(*line.split(), code=code)


def kubeconfig(here: Cluster, path: Path, **changes: object) -> str:
    """A copy of the kubeconfig with another cluster entry."""
    tree = yaml.safe_load(here.kubeconfig.read_text())
    entry = tree["clusters"][0]["cluster"]
    entry.update(changes)
    path.write_text(yaml.safe_dump({**tree, "current-context": "holdfast"}))
    return f"--kubeconfig={path}"


def test_kubeconfigs_that_lead_nowhere(here: Cluster, files: Path) -> None:
    path = files / "config"
    assert "there is no kubeconfig at" in here.refused("get", "ns", f"--kubeconfig={path}")
    path.write_text("clusters: [")
    assert "broken YAML" in here.refused("get", "ns", f"--kubeconfig={path}")
    foreign = kubeconfig(here, path, extensions=[])
    assert "is not a Holdfast cluster" in here.refused("get", "ns", foreign)


def test_a_control_node_that_is_not_there(here: Cluster, files: Path) -> None:
    extension = {"name": "holdfast.dev/grpc", "extension": {"endpoints": ["127.0.0.1:1"]}}
    flag = kubeconfig(here, files / "config", extensions=[extension])
    wanted = "cannot reach the control node at 127.0.0.1:1: connection refused (is it running?)"
    assert here.refused("get", "ns", flag) == wanted
    # Nothing further can work: said once, not once an object.
    text = "---\n".join(map(objects.config, ("a", "b")))
    assert here.refused("apply", "-f", "-", flag, stdin=text) == wanted


def test_a_certificate_authority_of_another_cluster(here: Cluster, files: Path) -> None:

    key = keys.new()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another cluster")])
    now = datetime.datetime.now(datetime.UTC)
    other = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = other.public_bytes(serialization.Encoding.PEM)
    data = base64.b64encode(pem).decode()
    flag = kubeconfig(here, files / "config", **{"certificate-authority-data": data})
    assert "certificate was not issued by the cluster CA" in here.refused("get", "ns", flag)
