"""Words or files: what `get` and `describe` are asked to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from holdfast.cli.input import naming
from holdfast.cli.input.naming import Named
from holdfast.cli.session import Target


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """Add -f and -R."""
    recursive = click.option("-R", "--recursive", is_flag=True, help="Directories below, too.")
    what = "What a file or directory names."
    path = click.Path(allow_dash=True)
    files = click.option("-f", "--filename", "filenames", multiple=True, type=path, help=what)
    return files(recursive(function))


def of(target: Target, words: tuple[str, ...], given: dict[str, Any]) -> list[Named]:
    """What is meant. Raises click.UsageError for words and files at once, ApiError for unknown
    kinds and unreadable files."""
    if not given["filenames"]:
        return naming.targets(words)
    if words:
        raise click.UsageError("name objects or give -f FILE, not both")
    # Imported here: reading YAML needs the whole codec, and a table of pods does not.
    from holdfast.cli.input import manifests

    return manifests.targets(manifests.read(target, given), "this")
