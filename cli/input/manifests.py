"""Objects from files: `-f FILE`, `-f DIRECTORY`, `-f -`, several of them, `-R` for all below.

Every error names the file and the line where the object starts, so that a person finds it. All
files are read before anything is done with one, and what is wrong in any of them is said.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from holdfast.api import codec, kinds
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.cli.input.naming import Named
from holdfast.cli.session import Target

SUFFIXES = (".yaml", ".yml", ".json")
FILE_BYTES_MAX = 64 << 20
SHOWN_MAX = 20
STDIN = "standard input"
_LINE = re.compile(r"line (\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as written. tree: its JSON; source: "web.yaml:12"."""

    kind: Kind
    message: Any
    tree: dict[str, Any]
    source: str

    @property
    def name(self) -> str:
        """metadata.name, "" when it has none."""
        return str(self.message.metadata.name)

    @property
    def resource(self) -> str:
        """ "pods", "deployments.apps"."""
        return self.kind.resource

    @property
    def namespace(self) -> str:
        """metadata.namespace, "" when it has none."""
        return str(self.message.metadata.namespace)

    def need_name(self, verb: str) -> None:
        """Raises ApiError when it has no metadata.name."""
        if not self.name:
            kind = self.kind.kind
            raise _wrong(f"{self.source}: {kind} has no metadata.name, which {verb} needs")


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """Add -f/--filename (several) and -R/--recursive."""
    recursive = click.option("-R", "--recursive", is_flag=True, help="Directories below, too.")
    what = "A file, a directory, or - for standard input."
    files = click.option(
        "-f", "--filename", "filenames", multiple=True, type=click.Path(allow_dash=True), help=what
    )
    return files(recursive(function))


def read(target: Target, given: dict[str, Any]) -> list[Manifest]:
    """The objects of -f and -R with their namespaces: what every verb that takes files calls.

    Raises click.UsageError without -f, else as `load` and `placed`.
    """
    if not given["filenames"]:
        raise click.UsageError("give the objects with -f FILE (a directory, or - for stdin)")
    found = load(given["filenames"], recursive=given["recursive"])
    return placed(found, target.namespace_flag, target.namespace)


def load(filenames: Iterable[str], *, recursive: bool = False) -> list[Manifest]:
    """Every object of the files, in order; a List's items one by one.

    Raises ApiError with file and line: unreadable, broken YAML, unknown kind or field, a kind
    that is not built. Several of them become one error with a line each.
    """
    found: list[Manifest] = []
    wrong: list[ApiError] = []
    for name in filenames:
        try:
            for item in _load_one(name, recursive):
                if isinstance(item, ApiError):
                    wrong.append(item)
                else:
                    found.append(item)
        except ApiError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise _several(wrong)
    if not found:
        raise _wrong(f"no objects in {', '.join(map(_shown, filenames))}")
    return found


def placed(manifests: Iterable[Manifest], flag: str | None, default: str) -> list[Manifest]:
    """The manifests with their namespace set: what each says, else `default`; none for a
    cluster-wide kind. flag: -n as given, None when it was not.

    Raises ApiError when a manifest names another namespace than -n.
    """
    result = []
    for manifest in manifests:
        written = manifest.namespace
        if flag and written and written != flag and manifest.kind.namespaced:
            raise _wrong(
                f'{manifest.source}: {manifest.kind.kind} "{manifest.name}" says namespace '
                f'"{written}", but -n says "{flag}"'
            )
        message = type(manifest.message)()
        message.CopyFrom(manifest.message)
        tree = {**manifest.tree, "metadata": dict(manifest.tree.get("metadata") or {})}
        if manifest.kind.namespaced:
            message.metadata.namespace = written or default
            tree["metadata"]["namespace"] = written or default
        result.append(replace(manifest, message=message, tree=tree))
    return result


def targets(manifests: Iterable[Manifest], verb: str) -> list[Named]:
    """What placed manifests name, for `get -f` and `describe -f`; neighbours of one kind and
    namespace together."""
    found: list[Named] = []
    for manifest in manifests:
        manifest.need_name(verb)
        here = Named(manifest.kind, (manifest.name,), manifest.namespace)
        last = found[-1] if found else None
        if last is not None and (last.kind, last.namespace) == (here.kind, here.namespace):
            found[-1] = replace(last, names=(*last.names, manifest.name))
        else:
            found.append(here)
    return found


def _load_one(filename: str, recursive: bool) -> Iterator[Manifest | ApiError]:
    if filename == "-":
        yield from _documents(STDIN, sys.stdin.buffer.read(FILE_BYTES_MAX + 1))
        return
    path = Path(filename)
    try:
        if path.is_dir():
            for file in _files(path, recursive):
                yield from _documents(str(file), _read(file))
        else:
            yield from _documents(filename, _read(path))
    except OSError as error:
        raise _wrong(f"cannot read {error.filename or filename}: {error.strerror}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX + 1)


def _files(directory: Path, recursive: bool) -> list[Path]:
    paths = directory.rglob("*") if recursive else directory.iterdir()
    return sorted(path for path in paths if path.suffix in SUFFIXES and path.is_file())


def _documents(source: str, data: bytes) -> Iterator[Manifest | ApiError]:
    """The objects of one file; for one that cannot be read, what is wrong with it."""
    if len(data) > FILE_BYTES_MAX:
        yield _wrong(f"{source} is larger than {FILE_BYTES_MAX >> 20} MiB")
        return
    try:
        documents = codec.load_yaml(data)
    except ApiError as error:
        yield _located(source, error)
        return
    for document in documents:
        if document.tree is None:
            continue
        where = f"{source}:{document.line}"
        try:
            for tree in _items(document.tree):
                kind, message = codec.decode_object(tree)
                yield Manifest(kinds.require_built(kind), message, tree, where)
        except ApiError as error:
            yield _located(where, error)


def _items(tree: Any) -> list[dict[str, Any]]:
    if not isinstance(tree, dict):
        raise _wrong("an object is expected here, with apiVersion, kind and metadata")
    if not str(tree.get("kind", "")).endswith("List") or "items" not in tree:
        return [tree]
    items = tree["items"] or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _wrong("items must be a list of objects")
    return items


def _shown(filename: str) -> str:
    return STDIN if filename == "-" else filename


def _several(errors: list[ApiError]) -> ApiError:
    lines = [error.message for error in errors[:SHOWN_MAX]]
    if len(errors) > SHOWN_MAX:
        lines.append(f"… and {len(errors) - SHOWN_MAX} more")
    return _wrong(f"{len(errors)} objects cannot be read:\n  " + "\n  ".join(lines))


def _located(where: str, error: ApiError) -> ApiError:
    """The error with its place in front; "line 3: …" of broken YAML becomes "web.yaml:3: …"."""
    line = _LINE.match(error.message)
    text = f":{line[1]}: {line[2]}" if line else f": {error.message}"
    return ApiError(error.reason, where + text, error.kind, error.name, error.causes)


def _wrong(message: str) -> ApiError:
    return ApiError(Reason.BAD_REQUEST, message)
