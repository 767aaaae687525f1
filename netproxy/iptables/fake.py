"""A strict iptables in memory: takes the same transactions and prints itself as the real one does.

Refuses what the kernel refuses and what we must never send: a jump to a chain that is not there,
the removal of a chain that is used or not empty, NAT actions where they may not stand, a circle of
jumps, a name too long. A refused table is unchanged; tables before it in the text stay committed,
as with the real command. For tests and dry runs. Pure module.
"""

from __future__ import annotations

from holdfast.netproxy.filters import FilterError
from holdfast.netproxy.iptables.rules import BUILT_IN, CHAIN_NAME_MAX, NAT, TABLES, Verb
from holdfast.netproxy.iptables.text import TextError, parse

Chains = dict[str, list[str]]

_HOOKS_OF = {
    Verb.DNAT: {"PREROUTING", "OUTPUT"},
    Verb.MASQUERADE: {"POSTROUTING"},
}


class FakeIptables:
    """A `Tool`. transactions: every accepted input, oldest first."""

    def __init__(self) -> None:
        self.tables: dict[str, Chains] = {
            table: {chain: [] for chain in BUILT_IN[table]} for table in TABLES
        }
        self.transactions: list[str] = []

    async def save(self, table: str) -> str:
        """As iptables-save prints it: built-in chains first, ours by name."""
        return self.print(table)

    async def restore(self, transaction: str) -> None:
        """Take a transaction. Raises FilterError naming the line, or what dangles."""
        table, changed = "", None
        for number, line in enumerate(transaction.splitlines(), 1):
            try:
                if line.startswith("*"):
                    table = line[1:]
                    changed = {name: list(rules) for name, rules in self.tables[table].items()}
                elif line == "COMMIT":
                    assert changed is not None
                    _check(table, changed)
                    self.tables[table], changed = changed, None
                else:
                    _step(table, changed, line)
            except (TextError, KeyError, ValueError, IndexError) as error:
                raise FilterError(f"line {number} failed: {line}: {error}") from None
        if changed is not None:
            raise FilterError("COMMIT expected at the end")
        self.transactions.append(transaction)

    def print(self, table: str) -> str:
        """The table as text."""
        chains = self.tables[table]
        names = [*BUILT_IN[table], *sorted(set(chains) - set(BUILT_IN[table]))]
        lines = [f"*{table}"]
        lines += [f":{name} {'ACCEPT' if name in BUILT_IN[table] else '-'} [0:0]" for name in names]
        lines += [f"-A {name} {rule}" for name in names for rule in chains[name]]
        return "\n".join([*lines, "COMMIT"]) + "\n"


def _step(table: str, chains: Chains | None, line: str) -> None:
    if chains is None:
        raise ValueError("outside of a table")
    if line.startswith(":"):
        name, policy, _counters = line[1:].split(" ")
        if policy != "-" or name in BUILT_IN[table]:
            raise ValueError("the policy of a built-in chain is not ours to set")
        if len(name) > CHAIN_NAME_MAX:
            raise ValueError(f"chain name longer than {CHAIN_NAME_MAX} characters")
        chains[name] = []
        return
    command, _, rest = line.partition(" ")
    name, _, rule = rest.partition(" ")
    if name not in chains:
        raise ValueError(f"no chain {name}")
    match command:
        case "-X":
            _delete(chains, name)
        case "-A":
            parse(rule)
            chains[name].append(rule)
        case "-I":
            parse(rule)
            chains[name].insert(0, rule)
        case "-D":
            chains[name].remove(rule)
        case _:
            raise ValueError(f"unknown command {command}")


def _delete(chains: Chains, name: str) -> None:
    users = [
        chain
        for chain, rules in chains.items()
        if any(rule.endswith(f"-j {name}") for rule in rules)
    ]
    if users:
        raise ValueError(f"chain {name} is used by {', '.join(users)}")
    if chains[name]:
        raise ValueError(f"chain {name} is not empty")
    del chains[name]


def _check(table: str, chains: Chains) -> None:
    """What the kernel checks when a table is committed."""
    for name, rules in chains.items():
        for rule in map(parse, rules):
            if rule.verb is Verb.JUMP and rule.to not in chains:
                raise ValueError(f"{name} jumps to {rule.to}, which is not there")
            if rule.verb in _HOOKS_OF and table != NAT:
                raise ValueError(f"{name}: {rule.verb} outside of the nat table")
    for hook in BUILT_IN[table]:
        _walk(chains, hook, hook, ())


def _walk(chains: Chains, hook: str, name: str, above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"a circle of jumps: {' → '.join((*above, name))}")
    for rule in map(parse, chains[name]):
        if rule.verb in _HOOKS_OF and hook not in _HOOKS_OF[rule.verb]:
            raise ValueError(f"{name}: {rule.verb} is reached from {hook}")
        if rule.verb is Verb.JUMP:
            _walk(chains, hook, rule.to, (*above, name))
