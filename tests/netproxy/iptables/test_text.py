"""The text of rules: a table over every action, back and forth, and what is refused."""

from __future__ import annotations

import pytest

from holdfast.netproxy.iptables import chains
from holdfast.netproxy.iptables.rules import Rule, Verb
from holdfast.netproxy.iptables.text import TextError, line, parse, present
from tests.netproxy.iptables.worlds import world

RULES = {
    Verb.JUMP: (Rule(Verb.JUMP, "HOLDFAST-X", one_in=3), "-m statistic --mode random"
                " --probability 0.33333333349 -j HOLDFAST-X"),
    Verb.RETURN: (Rule(Verb.RETURN, marked=False), "-m mark ! --mark 0x2000/0x2000 -j RETURN"),
    Verb.ACCEPT: (Rule(Verb.ACCEPT, source="!10.0.0.0/8", destination="!10.1.0.0/16"),
                  "! -s 10.0.0.0/8 ! -d 10.1.0.0/16 -j ACCEPT"),
    Verb.DROP: (Rule(Verb.DROP, states=("RELATED", "ESTABLISHED")),
                "-m conntrack --ctstate RELATED,ESTABLISHED -j DROP"),
    Verb.REJECT: (Rule(Verb.REJECT, protocol="tcp", port=80, comment="a/b", local=True),
                  '-p tcp -m comment --comment "a/b" -m tcp --dport 80 -m addrtype'
                  " --dst-type LOCAL -j REJECT --reject-with tcp-reset"),
    Verb.DNAT: (Rule(Verb.DNAT, "10.0.0.1:80", protocol="udp"),
                "-p udp -j DNAT --to-destination 10.0.0.1:80"),
    Verb.MARK: (Rule(Verb.MARK, comment="x-y_1"),
                "-m comment --comment x-y_1 -j MARK --set-xmark 0x2000/0x2000"),
    Verb.UNMARK: (Rule(Verb.UNMARK), "-j MARK --set-xmark 0x0/0x2000"),
    Verb.MASQUERADE: (Rule(Verb.MASQUERADE), "-j MASQUERADE --random-fully"),
}  # fmt: skip


def test_the_table_is_complete() -> None:
    assert RULES.keys() == set(Verb)


@pytest.mark.parametrize("verb", list(Verb))
def test_back_and_forth(verb: Verb) -> None:
    rule, text = RULES[verb]
    assert line(rule) == text
    assert parse(text) == rule


def test_every_rule_we_write_can_be_read() -> None:
    for table in chains.wanted(world()).values():
        for lines in (*table.chains.values(), *table.jumps.values()):
            assert [line(parse(text)) for text in lines] == list(lines)


@pytest.mark.parametrize(
    "text",
    [
        "-j",
        "-j LOG",
        "-j HOLDFAST-X extra",
        "-i eth0 -j DROP",
        "! -p tcp -j DROP",
        "-p tcp -s 10.0.0.0/8 -j DROP",
        "-m statistic --mode nth --every 3 -j DROP",
        "",
    ],
)
def test_foreign_rules_are_refused(text: str) -> None:
    with pytest.raises(TextError):
        parse(text)


def test_only_our_part_of_a_table_is_read() -> None:
    saved = (
        "# Generated\n*nat\n:PREROUTING ACCEPT [1:2]\n:DOCKER - [0:0]\n:HOLDFAST-A - [0:0]\n"
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A PREROUTING -j HOLDFAST-A\n"
        "-A DOCKER -i docker0 -j RETURN\n-A HOLDFAST-A -j RETURN\nCOMMIT\n"
    )
    table = present(saved, "nat")
    assert table.chains == {"HOLDFAST-A": ("-j RETURN",)}
    assert table.jumps == {"PREROUTING": ("-j HOLDFAST-A",)}
