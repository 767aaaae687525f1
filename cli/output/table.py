"""Tables as kubectl prints them: columns of the table of kinds, three spaces apart, no lines.

Column widths follow the longest cell; the last column is not padded. Pure module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.api.kinds import Kind

GAP = "   "


def lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], least: Sequence[int] = ()
) -> list[str]:
    """The table's lines. header may be empty: rows only. least: widths of lines printed before,
    so that what is added later stands below them."""
    cells = ([list(header)] if header else []) + [list(row) for row in rows]
    columns = widths(cells)
    if least:
        columns = [max(pair) for pair in zip(columns, least, strict=True)]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, columns, strict=True)).rstrip()
        for row in cells
    ]


def widths(cells: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column must be; [] without rows."""
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


class Table:
    """The columns of one kind, as asked for.

    wide: columns of priority 1 too. namespaces: a first column with the namespace (-A).
    label_columns: one column for each of these labels (-L). show_labels: a last column with all.
    prefix: rows name their type, "pod/web" (several types in one answer).
    """

    def __init__(
        self,
        kind: Kind,
        *,
        wide: bool = False,
        namespaces: bool = False,
        label_columns: Sequence[str] = (),
        show_labels: bool = False,
        prefix: bool = False,
    ) -> None:
        self._kind = kind
        self._columns = [column for column in kind.columns if wide or column.priority == 0]
        self._namespaces = namespaces and kind.namespaced
        self._label_columns = list(label_columns)
        self._show_labels = show_labels
        group = f".{kind.group}" if kind.group else ""
        self._prefix = f"{kind.singular}{group}/" if prefix else ""

    def header(self) -> list[str]:
        """The column names in capitals."""
        names = ["NAMESPACE"] if self._namespaces else []
        names += [column.name.upper() for column in self._columns]
        names += [label.rpartition("/")[2].upper() for label in self._label_columns]
        return names + (["LABELS"] if self._show_labels else [])

    def row(self, message: Any, now: float) -> list[str]:
        """The cells of one object. now: Unix seconds, for ages."""
        labels = dict(message.metadata.labels)
        cells = [message.metadata.namespace] if self._namespaces else []
        shown = [column.getter(message, now) for column in self._columns]
        shown[0] = self._prefix + shown[0]
        cells += shown
        cells += [labels.get(label, "") for label in self._label_columns]
        if self._show_labels:
            pairs = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
            cells.append(pairs or "<none>")
        return cells
