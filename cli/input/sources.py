"""The data of --from-literal, --from-file and --from-env-file: keys and their bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli.input import making

DATA_BYTES_MAX = 3 << 19
"""1.5 MiB: what one object may be. A larger file is not even read."""

Data = dict[str, bytes]


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """Add --from-literal, --from-file and --from-env-file."""
    for flag, text in (
        ("--from-literal", "KEY=VALUE."),
        ("--from-file", "FILE, KEY=FILE or a directory."),
        ("--from-env-file", "A file of KEY=VALUE lines."),
    ):
        function = click.option(flag, multiple=True, help=text)(function)
    return function


def read(given: dict[str, Any]) -> Data:
    """What the flags say. Raises ApiError naming the file or key, click.UsageError for a flag."""
    data: Data = {}
    literals = making.pairs(given["from_literal"], "--from-literal")
    _add(data, {key: value.encode() for key, value in literals.items()})
    for word in given["from_file"]:
        key, equals, name = word.rpartition("=")
        path = Path(name)
        if path.is_dir() and not equals:
            files = sorted(child for child in path.iterdir() if child.is_file())
            _add(data, {child.name: content(child) for child in files})
        else:
            _add(data, {key or path.name: content(path)})
    for name in given["from_env_file"]:
        _add(data, _variables(Path(name)))
    return data


def content(path: Path) -> bytes:
    """The bytes of a file. Raises ApiError."""
    try:
        with path.open("rb") as file:
            data = file.read(DATA_BYTES_MAX + 1)
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"cannot read {path}: {error.strerror}") from None
    if len(data) > DATA_BYTES_MAX:
        raise ApiError(Reason.TOO_LARGE, f"{path} is larger than an object may be (1.5 MiB)")
    return data


def _variables(path: Path) -> Data:
    """The lines of an environment file; empty ones and comments are left out."""
    try:
        lines = content(path).decode().splitlines()
    except UnicodeDecodeError:
        raise ApiError(Reason.BAD_REQUEST, f"{path} is not UTF-8 text") from None
    found: Data = {}
    for number, line in enumerate(lines, 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ApiError(Reason.BAD_REQUEST, f'{path}:{number}: "{text}" is not KEY=VALUE')
        found[key] = value.encode()
    return found


def _add(data: Data, more: Data) -> None:
    for key, value in more.items():
        if key in data:
            raise ApiError(Reason.BAD_REQUEST, f'the key "{key}" is given twice')
        data[key] = value
