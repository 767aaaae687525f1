"""How a page is laid out: values in one column a block, blocks and tables below."""

from __future__ import annotations

from holdfast.cli.describing.layout import Block, Grid, block, lines, pairs


def test_values_stand_in_one_column_and_blocks_below() -> None:
    found = lines(
        [
            ("Name", "web"),
            ("Labels", pairs({"b": "2", "a": "1"}.items())),
            ("Long Label", []),
            ("Empty", block(())),
            ("Inner", Block([("Key", "value"), ("Longer", "value")])),
            ("Rows", Grid(("Type", "Age"), [["Normal", "3m"]])),
            ("None", Grid(("Type",), [])),
        ]
    )
    assert found == [
        "Name:        web",
        "Labels:      a=1",
        "             b=2",
        "Long Label:  <none>",
        "Empty:       <none>",
        "Inner:",
        "  Key:     value",
        "  Longer:  value",
        "Rows:",
        "  Type     Age",
        "  ----     ---",
        "  Normal   3m",
        "None:        <none>",
    ]
