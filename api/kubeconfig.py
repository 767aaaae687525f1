"""Kubeconfig files: where the cluster is and who we are, in the form that kubectl knows.

Read by the CLI (`load`, `contexts`), written by the control node for its administrator (`write`)
and by `config use-context`. `server:` is the address of the Kubernetes REST gateway; our gRPC
endpoints stand in an extension of the cluster:

    extensions:
    - name: holdfast.dev/grpc
      extension: {endpoints: ["127.0.0.1:6444"]}

Several files ($KUBECONFIG is a list) are merged as kubectl does: the first to set a name or the
current context wins. A foreign file is never overwritten: what is ours goes into a file of our
own, and `merge_into` adds it to the user's only when asked.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason

NAME = "holdfast"
"""Our cluster, user and context."""
EXTENSION = "holdfast.dev/grpc"
REST_PORT = 6443
FILE_BYTES_MAX = 1 << 20

_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}


@dataclass(frozen=True, slots=True)
class Context:
    """One row of `config get-contexts`."""

    name: str
    cluster: str
    user: str
    namespace: str
    current: bool


@dataclass(frozen=True, slots=True)
class Config:
    """Files merged. Each section maps a name to its entry; sources: a name to its file."""

    paths: tuple[Path, ...]
    current: str
    clusters: Mapping[str, Mapping[str, Any]]
    users: Mapping[str, Mapping[str, Any]]
    contexts: Mapping[str, Mapping[str, Any]]
    sources: Mapping[tuple[str, str], Path]


def paths(flag: str | None, environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """The files to read: --kubeconfig, else $KUBECONFIG (a list), else ~/.kube/config."""
    if flag:
        return (Path(flag),)
    listed = environment.get("KUBECONFIG", "")
    found = tuple(Path(part) for part in listed.split(os.pathsep) if part)
    return found or (home / ".kube" / "config",)


def read(files: tuple[Path, ...]) -> Config:
    """Merge the files that exist.

    Raises ApiError: NotFound when there is none, BadRequest naming file and line when one is
    broken.
    """
    sections: dict[str, dict[str, Mapping[str, Any]]] = {name: {} for name in _SECTIONS}
    sources: dict[tuple[str, str], Path] = {}
    current = ""
    found = [path for path in files if path.exists()]
    if not found:
        listed = ", ".join(map(str, files))
        raise ApiError(Reason.NOT_FOUND, f"there is no kubeconfig at {listed}: {_WHERE}")
    for path in found:
        tree = _parse(path)
        current = current or _text(tree, "current-context", path)
        for section, inner in _SECTIONS.items():
            for name, entry in _entries(tree, section, inner, path):
                if name not in sections[section]:
                    sections[section][name] = entry
                    sources[section, name] = path
    return Config(tuple(found), current, **sections, sources=sources)


_WHERE = "start a cluster with `holdfast up`, or name a file with --kubeconfig"


def load(files: tuple[Path, ...], context: str | None = None) -> Endpoint:
    """The endpoint of a context, None = the current one. Raises ApiError that names what lacks."""
    return endpoint(read(files), context)


def endpoint(config: Config, context: str | None = None) -> Endpoint:
    """The endpoint of a context of this configuration, None = the current one."""
    name = context or config.current
    if not name:
        raise ApiError(
            Reason.BAD_REQUEST,
            f"{_files(config)} has no current context: set one with `holdfast config use-context`",
        )
    chosen = _entry(config, "contexts", name, "there is no")
    cluster_name, user_name = str(chosen.get("cluster", "")), str(chosen.get("user", ""))
    cluster = _entry(config, "clusters", cluster_name, f'context "{name}" names an unknown')
    user = _entry(config, "users", user_name, f'context "{name}" names an unknown')
    origin = config.sources["clusters", cluster_name]
    ca_pem = _data(cluster, "certificate-authority", f'cluster "{cluster_name}"', origin)
    if not ca_pem:
        message = f'cluster "{cluster_name}" in {origin} has no certificate-authority-data'
        raise ApiError(Reason.BAD_REQUEST, message)
    origin_of_user = config.sources["users", user_name]
    return Endpoint(
        _endpoints(cluster, cluster_name, origin),
        ca_pem,
        _data(user, "client-certificate", f'user "{user_name}"', origin_of_user),
        _data(user, "client-key", f'user "{user_name}"', origin_of_user),
    )


def contexts(config: Config) -> list[Context]:
    """All contexts, by name."""
    return [
        Context(
            name,
            str(entry.get("cluster", "")),
            str(entry.get("user", "")),
            str(entry.get("namespace", "")),
            name == config.current,
        )
        for name, entry in sorted(config.contexts.items())
    ]


def namespace(config: Config, context: str | None = None) -> str:
    """The namespace that commands use in a context when none is given."""
    entry = config.contexts.get(context or config.current, {})
    return str(entry.get("namespace") or "default")


def use_context(config: Config, name: str) -> Path:
    """Make a context the current one; returns the file changed. Raises ApiError (NotFound).

    As kubectl does, in the first file that sets a current context, else in the first file; every
    other key of that file stays as it is.
    """
    _entry(config, "contexts", name, "there is no")
    trees = [(path, _parse(path)) for path in config.paths]
    path, tree = next((pair for pair in trees if pair[1].get("current-context")), trees[0])
    _write(path, {**tree, "current-context": name})
    return path


def ours(credentials: Endpoint, server: str) -> dict[str, Any]:
    """Our own kubeconfig as a tree. server: "https://host:6443", the REST gateway's address."""
    assert credentials.certificate_pem is not None, "a kubeconfig without a certificate"
    assert credentials.key_pem is not None, "a kubeconfig without a key"
    cluster = {
        "server": server,
        "certificate-authority-data": _base64(credentials.ca_pem),
        "extensions": [
            {"name": EXTENSION, "extension": {"endpoints": list(credentials.addresses)}}
        ],
    }
    user = {
        "client-certificate-data": _base64(credentials.certificate_pem),
        "client-key-data": _base64(credentials.key_pem),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
        "preferences": {},
    }


def write(path: Path, tree: Mapping[str, Any]) -> None:
    """Write our own file (mode 0600), whole or not at all.

    Raises ApiError (Conflict) when another program's file is there.
    """
    if path.exists():
        named = {str(item.get("name")) for item in _parse(path).get("clusters") or []}
        if named - {NAME}:
            message = f"{path} holds other clusters: it is not overwritten"
            raise ApiError(Reason.CONFLICT, message)
    _write(path, tree)


def merge_into(path: Path, tree: Mapping[str, Any]) -> None:
    """Put our cluster, user and context into the user's file and make the context the current
    one; all others stay. Raises ApiError (BadRequest) when the file is broken: it is left alone."""
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    if path.exists():
        merged = _parse(path)
    for section in _SECTIONS:
        kept = [item for item in merged.get(section) or [] if item.get("name") != NAME]
        merged[section] = [*kept, *tree[section]]
    _write(path, {**merged, "current-context": NAME})


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"cannot read {path}: {error.strerror}") from None
    if len(data) > FILE_BYTES_MAX:
        raise ApiError(Reason.TOO_LARGE, f"{path} is over {FILE_BYTES_MAX} bytes: no kubeconfig")
    try:
        tree = yaml.load(data, Loader=yaml.CSafeLoader) or {}
    except (UnicodeDecodeError, yaml.reader.ReaderError):
        raise ApiError(Reason.BAD_REQUEST, f"{path} is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        message = f"{path}, line {line}: broken YAML: {error.problem}"
        raise ApiError(Reason.BAD_REQUEST, message) from None
    if not isinstance(tree, dict) or tree.get("kind", "Config") != "Config":
        raise ApiError(Reason.BAD_REQUEST, f"{path} is not a kubeconfig")
    for section, inner in _SECTIONS.items():
        _entries(tree, section, inner, path)
    return tree


def _entries(
    tree: Mapping[str, Any], section: str, inner: str, path: Path
) -> list[tuple[str, Mapping[str, Any]]]:
    found: list[tuple[str, Mapping[str, Any]]] = []
    items = tree.get(section) or []
    for number, item in enumerate(items if isinstance(items, list) else [items]):
        name = item.get("name") if isinstance(item, dict) else None
        entry = (item.get(inner) or {}) if isinstance(item, dict) else None
        if not isinstance(name, str) or not isinstance(entry, dict):
            message = f"{path}: {section}[{number}] must have a name and a {inner}"
            raise ApiError(Reason.BAD_REQUEST, message)
        found.append((name, entry))
    return found


def _entry(config: Config, section: str, name: str, problem: str) -> Mapping[str, Any]:
    entry: Mapping[str, Any] | None = getattr(config, section).get(name)
    if entry is None:
        word = _SECTIONS[section]
        raise ApiError(Reason.NOT_FOUND, f'{problem} {word} "{name}" in {_files(config)}')
    return entry


def _endpoints(cluster: Mapping[str, Any], name: str, path: Path) -> tuple[str, ...]:
    for item in cluster.get("extensions") or []:
        if isinstance(item, dict) and item.get("name") == EXTENSION:
            extension = item.get("extension")
            found = extension.get("endpoints") if isinstance(extension, dict) else None
            if isinstance(found, list) and found and all(isinstance(a, str) for a in found):
                return tuple(found)
            message = f'cluster "{name}" in {path}: {EXTENSION} must hold endpoints: [host:port]'
            raise ApiError(Reason.BAD_REQUEST, message)
    raise ApiError(
        Reason.BAD_REQUEST,
        f'cluster "{name}" in {path} is not a Holdfast cluster: it has no extension {EXTENSION}',
    )


def _data(entry: Mapping[str, Any], key: str, whose: str, path: Path) -> bytes | None:
    """`<key>-data` (base64), else the contents of the file `<key>` names, relative to `path`."""
    packed, file = entry.get(f"{key}-data"), entry.get(key)
    if packed:
        try:
            return base64.b64decode(packed, validate=True)
        except (binascii.Error, ValueError, TypeError):
            message = f"{whose} in {path}: {key}-data is not base64"
            raise ApiError(Reason.BAD_REQUEST, message) from None
    if file:
        try:
            return (path.parent / str(file)).read_bytes()
        except OSError as error:
            message = f"{whose} in {path}: cannot read {key} {file}: {error.strerror}"
            raise ApiError(Reason.BAD_REQUEST, message) from None
    return None


def _text(tree: Mapping[str, Any], key: str, path: Path) -> str:
    value = tree.get(key) or ""
    if not isinstance(value, str):
        raise ApiError(Reason.BAD_REQUEST, f"{path}: {key} must be a string")
    return value


def _files(config: Config) -> str:
    return ", ".join(map(str, config.paths))


def _write(path: Path, tree: Mapping[str, Any]) -> None:
    # Imported here: who only reads (every command) need not load a cryptography library.
    from holdfast.api.tls.credentials import write_private

    path = path.resolve()  # a link stays a link
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, yaml.dump(dict(tree), Dumper=yaml.CSafeDumper, sort_keys=False).encode())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
