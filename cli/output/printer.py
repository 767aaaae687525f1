"""`-o yaml|json|name|jsonpath=…|wide`: one place that turns objects into what is printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind

FORMATS = "json, yaml, name, wide, jsonpath=TEMPLATE, jsonpath-file=FILE, custom-columns=SPEC"


@dataclass(frozen=True, slots=True)
class Format:
    """A parsed -o. name: "" for the table; template: of jsonpath or custom-columns."""

    name: str = ""
    template: str = ""

    @property
    def table(self) -> bool:
        """Shown as a table of the kind's columns."""
        return self.name in ("", "wide")


def parse(text: str) -> Format:
    """-o's value. Raises click.BadParameter naming the formats there are, ApiError for a template
    file that cannot be read."""
    name, _, template = text.partition("=")
    if name in ("", "json", "yaml", "name", "wide") and not template:
        return Format(name)
    if name in ("jsonpath", "custom-columns") and template:
        return Format(name, template)
    if name == "jsonpath-file" and template:
        return Format("jsonpath", _text(template))
    raise click.BadParameter(f'unknown output format "{text}": choose one of {FORMATS}')


flag = click.option("-o", "--output", type=parse, default="", metavar="FORMAT", help=FORMATS)
"""Adds -o; the verb gets a Format as `output`."""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ApiError(Reason.BAD_REQUEST, f"{path} is not UTF-8 text") from None


def tree(kind: Kind, message: Any) -> dict[str, Any]:
    """The object's JSON with apiVersion and kind."""
    from holdfast.api import codec

    return codec.to_json(message, kind)


def full_name(kind: Kind, name: str) -> str:
    """ "pod/web", "deployment.apps/web": how one object is named in messages and by -o name."""
    group = f".{kind.group}" if kind.group else ""
    return f"{kind.singular}{group}/{name}"


def show(found: Sequence[tuple[Kind, Any]], chosen: Format, *, single: bool) -> None:
    """Print objects in a format that is no table. single: one object was named, print it alone
    instead of a List."""
    if chosen.name == "name":
        for kind, message in found:
            click.echo(full_name(kind, message.metadata.name))
        return
    trees = [tree(kind, message) for kind, message in found]
    whole: Any = trees[0] if single and len(trees) == 1 else _list_of(trees)
    if chosen.name == "json":
        click.echo(json.dumps(whole, indent=4, ensure_ascii=False))
    elif chosen.name == "yaml":
        from holdfast.api import codec

        click.echo(codec.dump_yaml(whole), nl=False)
    elif chosen.name == "custom-columns":
        _custom_columns(chosen.template, trees)
    else:
        from holdfast.cli.output import jsonpath

        click.echo(jsonpath.render(chosen.template, whole), nl=False)


def _list_of(trees: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": trees}


def _custom_columns(spec: str, trees: list[dict[str, Any]]) -> None:
    """`NAME:.metadata.name,NODE:.spec.nodeName`."""
    from holdfast.cli.output import jsonpath, table

    columns = [column.partition(":") for column in spec.split(",")]
    if not all(path for _header, _colon, path in columns):
        raise click.UsageError(f'bad custom-columns "{spec}": write HEADER:.path,…')
    rows = [[_cell(jsonpath.values(path, item)) for _h, _c, path in columns] for item in trees]
    for line in table.lines([header for header, _c, _p in columns], rows):
        click.echo(line)


def _cell(values: list[Any]) -> str:
    texts = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return ",".join(texts) or "<none>"
