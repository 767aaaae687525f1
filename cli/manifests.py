"""Objects from files: `-f FILE`, `-f DIRECTORY`, `-f -`, several of them, `-R` for all below.

Every error names the file and the line where the object starts, so that a person finds it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from holdfast.api import codec
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind

SUFFIXES = (".yaml", ".yml", ".json")
FILE_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as written. tree: its JSON; source: "web.yaml:12"."""

    kind: Kind
    message: Any
    tree: dict[str, Any]
    source: str

    @property
    def name(self) -> str:
        return str(self.message.metadata.name)

    @property
    def resource(self) -> str:
        return self.kind.resource

    def namespace(self, default: str) -> str:
        """Where it goes: what it says, else the command's; "" for a cluster-wide kind.

        Raises ApiError when it says another than -n did (see `placed`).
        """
        if not self.kind.namespaced:
            return ""
        return self.message.metadata.namespace or default


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """Add -f/--filename (several) and -R/--recursive."""
    recursive = click.option("-R", "--recursive", is_flag=True, help="Directories below, too.")
    what = "A file, a directory, or - for standard input."
    files = click.option("-f", "--filename", "filenames", multiple=True, help=what)
    return files(recursive(function))


def load(filenames: Iterable[str], *, recursive: bool = False) -> list[Manifest]:
    """Every object of the files, in order; a List's items one by one.

    Raises ApiError with file and line: unreadable, broken YAML, unknown kind or field.
    """
    found = [manifest for name in filenames for manifest in _load_one(name, recursive)]
    if not found:
        raise _wrong(f"no objects in {', '.join(filenames) or 'nothing'}: give -f FILE")
    return found


def placed(manifests: Iterable[Manifest], flag: str | None, default: str) -> list[Manifest]:
    """The manifests with their namespace set. flag: -n as given, None when it was not.

    Raises ApiError when a manifest names another namespace than -n.
    """
    result = []
    for manifest in manifests:
        written = manifest.message.metadata.namespace
        if flag and written and written != flag and manifest.kind.namespaced:
            raise _wrong(
                f'{manifest.source}: {manifest.kind.kind} "{manifest.name}" says namespace '
                f'"{written}", but -n says "{flag}"'
            )
        message = type(manifest.message)()
        message.CopyFrom(manifest.message)
        message.metadata.namespace = manifest.namespace(default)
        tree = {**manifest.tree, "metadata": dict(manifest.tree.get("metadata") or {})}
        if message.metadata.namespace:
            tree["metadata"]["namespace"] = message.metadata.namespace
        result.append(replace(manifest, message=message, tree=tree))
    return result


def _load_one(filename: str, recursive: bool) -> Iterator[Manifest]:
    if filename == "-":
        yield from _documents("standard input", sys.stdin.buffer.read(FILE_BYTES_MAX + 1))
        return
    path = Path(filename)
    try:
        if path.is_dir():
            for file in _files(path, recursive):
                yield from _documents(str(file), file.read_bytes())
        else:
            yield from _documents(filename, path.read_bytes())
    except OSError as error:
        raise _wrong(f"cannot read {error.filename or filename}: {error.strerror}") from None


def _files(directory: Path, recursive: bool) -> list[Path]:
    paths = directory.rglob("*") if recursive else directory.iterdir()
    return sorted(path for path in paths if path.suffix in SUFFIXES and path.is_file())


def _documents(source: str, data: bytes) -> Iterator[Manifest]:
    if len(data) > FILE_BYTES_MAX:
        raise _wrong(f"{source} is larger than {FILE_BYTES_MAX >> 20} MiB")
    try:
        documents = codec.load_yaml(data)
    except ApiError as error:
        raise _located(source, error) from None
    for document in documents:
        if document.tree is None:
            continue
        where = f"{source}:{document.line}"
        for tree in _items(document.tree, where):
            try:
                kind, message = codec.decode_object(tree)
            except ApiError as error:
                raise _located(where, error) from None
            yield Manifest(kind, message, tree, where)


def _items(tree: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(tree, dict):
        raise _wrong(f"{where}: an object is expected here, with apiVersion, kind and metadata")
    if not str(tree.get("kind", "")).endswith("List") or "items" not in tree:
        return [tree]
    items = tree["items"] or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _wrong(f"{where}: items must be a list of objects")
    return items


def _located(where: str, error: ApiError) -> ApiError:
    return ApiError(error.reason, f"{where}: {error.message}", error.kind, error.name, error.causes)


def _wrong(message: str) -> ApiError:
    return ApiError(Reason.BAD_REQUEST, message)
