"""Rules in the words of iptables: written as iptables-save prints them, and read back strictly.

`line(rule)` is the exact text that both flavours of iptables 1.8 print for the rule (a test holds
them to it), so what is in the kernel can be compared with what is wanted as text. Pure module.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from functools import lru_cache

from holdfast.netproxy.iptables.rules import (
    BUILT_IN,
    PREFIX,
    Rule,
    Table,
    TableChange,
    Verb,
)

MARK = "0x2000/0x2000"
"""One bit of the packet mark: to be masqueraded. Kubernetes takes 0x4000 and 0x8000."""

_STEPS = 1 << 31
"""The kernel keeps a probability as a multiple of 2⁻³¹."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")

_ACTIONS = {
    Verb.MARK: f"MARK --set-xmark {MARK}",
    Verb.UNMARK: "MARK --set-xmark 0x0/0x2000",
    Verb.MASQUERADE: "MASQUERADE --random-fully",
}


class TextError(ValueError):
    """A line that is not one of ours."""


def line(rule: Rule) -> str:
    """The rule as iptables-save prints it, without the leading "-A CHAIN "."""
    words = []
    for flag, network in (("-s", rule.source), ("-d", rule.destination)):
        if network:
            words.append(f"! {flag} {network[1:]}" if network[0] == "!" else f"{flag} {network}")
    if rule.protocol:
        words.append(f"-p {rule.protocol}")
    if rule.comment:
        plain = _PLAIN.fullmatch(rule.comment)
        words.append(f"-m comment --comment {rule.comment if plain else _quoted(rule.comment)}")
    if rule.port:
        words.append(f"-m {rule.protocol} --dport {rule.port}")
    if rule.local:
        words.append("-m addrtype --dst-type LOCAL")
    if rule.states:
        words.append(f"-m conntrack --ctstate {','.join(rule.states)}")
    if rule.marked is not None:
        words.append(f"-m mark {'' if rule.marked else '! '}--mark {MARK}")
    if rule.one_in > 1:
        words.append(f"-m statistic --mode random --probability {probability(rule.one_in):.11f}")
    words.append(f"-j {_action(rule)}")
    return " ".join(words)


def probability(one_in: int) -> float:
    """1/one_in as the kernel keeps it."""
    return round(_STEPS / one_in) / _STEPS


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _action(rule: Rule) -> str:
    match rule.verb:
        case Verb.JUMP:
            return rule.to
        case Verb.DNAT:
            return f"DNAT --to-destination {rule.to}"
        case Verb.REJECT:
            kind = "tcp-reset" if rule.protocol == "tcp" else "icmp-port-unreachable"
            return f"REJECT --reject-with {kind}"
        case _:
            return _ACTIONS.get(rule.verb, rule.verb.value)


@lru_cache(maxsize=4096)
def parse(text: str) -> Rule:
    """The rule of a line that `line` wrote. Raises TextError for anything else."""
    words = shlex.split(text)
    found: dict[str, object] = {}
    try:
        while words:
            _take(words, found)
        rule = Rule(**found)  # type: ignore[arg-type]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise TextError(f"not a rule of ours: {text} ({error})") from None
    if line(rule) != text:
        raise TextError(f"not written as iptables prints it: {text}")
    return rule


def _take(words: list[str], found: dict[str, object]) -> None:
    """Move one match or the action from the front of `words` into `found`."""
    negated = words[0] == "!"
    if negated:
        words.pop(0)
    flag = words.pop(0)
    if negated and flag not in ("-s", "-d", "--mark"):
        raise ValueError(f"! {flag}")
    if flag == "-m":
        words.pop(0)  # a module is named by its options
        return
    value = words.pop(0)
    if flag == "-j":
        found |= _parse_action(value, words)
        words.clear()
        return
    name, read = _OPTIONS[flag]
    found[name] = f"!{value}" if negated and flag != "--mark" else read(value)
    if flag == "--mark":
        found[name] = not negated


def _parse_action(target: str, options: list[str]) -> dict[str, object]:
    whole = " ".join([target, *options])
    for verb, text in _ACTIONS.items():
        if whole == text:
            return {"verb": verb}
    if target == "DNAT":
        return {"verb": Verb.DNAT, "to": options[1]}
    if target.startswith(PREFIX) and not options:
        return {"verb": Verb.JUMP, "to": target}
    return {"verb": Verb(target)}


def _random(mode: str) -> int:
    if mode != "random":
        raise ValueError(f"statistic mode {mode}")
    return 1


_OPTIONS: dict[str, tuple[str, Callable[[str], object]]] = {
    "-s": ("source", str),
    "-d": ("destination", str),
    "-p": ("protocol", str),
    "--comment": ("comment", str),
    "--dport": ("port", int),
    "--dst-type": ("local", lambda kind: kind == "LOCAL"),
    "--ctstate": ("states", lambda states: tuple(states.split(","))),
    "--mark": ("marked", str),
    "--mode": ("one_in", _random),
    "--probability": ("one_in", lambda text: round(1 / float(text))),
}


def present(saved: str, table: str) -> Table:
    """Our part of what `iptables-save -t TABLE` printed."""
    chains: dict[str, list[str]] = {}
    jumps: dict[str, list[str]] = {}
    for text in saved.splitlines():
        if text.startswith(f":{PREFIX}"):
            chains.setdefault(text[1:].split(" ", 1)[0], [])
        elif text.startswith("-A "):
            _, chain, rest = text.split(" ", 2)
            if chain.startswith(PREFIX):
                chains.setdefault(chain, []).append(rest)
            elif chain in BUILT_IN[table] and f"-j {PREFIX}" in rest:
                jumps.setdefault(chain, []).append(rest)
    return Table(
        {name: tuple(lines) for name, lines in chains.items()},
        {name: tuple(lines) for name, lines in jumps.items()},
    )


def transaction(changes: Iterable[TableChange]) -> str:
    """The input of one `iptables-restore --noflush`; each table is changed whole or not at all.

    Naming a chain empties it; rules come when every chain exists; a chain goes when nothing
    leads to it any more.
    """
    lines: list[str] = []
    for change in changes:
        lines.append(f"*{change.table}")
        lines += [f":{chain} - [0:0]" for chain in (*change.write, *change.delete)]
        lines += [f"-D {chain} {rule}" for chain, rule in change.take_out]
        lines += [f"-I {chain} {rule}" for chain, rule in reversed(change.put_in)]
        for chain, rules in change.write.items():
            lines += [f"-A {chain} {rule}" for rule in rules]
        lines += [f"-X {chain}" for chain in change.delete]
        lines.append("COMMIT")
    return "\n".join(lines) + "\n" if lines else ""
