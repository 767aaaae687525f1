"""From the rules that are there to the rules that are wanted: the smallest set of whole chains.

A chain is the unit: it is written whole or left alone. Pure module.
"""

from __future__ import annotations

from collections import Counter

from holdfast.netproxy.iptables.rules import TABLES, Lines, Table, TableChange, Tables


def difference(present: Tables, wanted: Tables) -> tuple[TableChange, ...]:
    """The changes that make `present` equal to `wanted`, at most one a table, none when equal."""
    changes = (_change(table, present[table], wanted[table]) for table in TABLES)
    return tuple(change for change in changes if change is not None)


def _change(name: str, present: Table, wanted: Table) -> TableChange | None:
    write = {
        chain: lines for chain, lines in wanted.chains.items() if present.chains.get(chain) != lines
    }
    delete = tuple(chain for chain in present.chains if chain not in wanted.chains)
    put_in = _missing(present.jumps, wanted.jumps)
    take_out = _missing(wanted.jumps, present.jumps)
    if not (write or delete or put_in or take_out):
        return None
    return TableChange(name, write, delete, put_in, take_out)


def _missing(there: dict[str, Lines], wanted: dict[str, Lines]) -> tuple[tuple[str, str], ...]:
    """The rules of `wanted` that `there` lacks; one that stands twice is one too many."""
    return tuple(
        (chain, rule)
        for chain, rules in wanted.items()
        for rule in (Counter(rules) - Counter(there.get(chain, ()))).elements()
    )
