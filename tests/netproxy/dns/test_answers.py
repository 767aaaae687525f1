"""Questions and answers without a socket: names, kinds, negatives, sizes, broken questions."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.netproxy.dns.answers import Answer, Chase, Forward, consider, join
from holdfast.netproxy.picture import ENDPOINT_SLICES, SERVICES
from tests.netproxy.builders import endpoints, service
from tests.netproxy.dns.zones import picture

ZONE = picture().zone


def asked(
    name: str, kind: str = "A", *, edns: int | bool = False, tcp: bool = False
) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=edns, payload=4096)
    step = consider(query.to_wire(), ZONE, tcp=tcp)
    assert isinstance(step, Answer)
    reply = dns.message.from_wire(step.turns[0])
    assert query.is_response(reply)
    return reply


def said(reply: dns.message.Message) -> list[str]:
    return sorted(str(item) for rrset in reply.answer for item in rrset)


DB, WEB = "db.default.svc.cluster.local", "web.default.svc.cluster.local"

ANSWERS = [
    (WEB, "A", ["10.96.1.1"]),
    ("WeB.Default.svc.Cluster.Local.", "A", ["10.96.1.1"]),
    (WEB, "ANY", ["10.96.1.1"]),
    (f"_http._tcp.{WEB}", "SRV", [f"0 100 80 {WEB}."]),
    ("1.1.96.10.in-addr.arpa", "PTR", [f"{WEB}."]),
    (DB, "A", ["10.244.1.5", "10.244.2.6"]),
    (f"db-0.{DB}", "A", ["10.244.1.5"]),
    (f"10-244-2-6.{DB}", "A", ["10.244.2.6"]),
    (f"_sql._tcp.{DB}", "SRV", [f"0 50 5432 10-244-2-6.{DB}.", f"0 50 5432 db-0.{DB}."]),
    ("5.1.244.10.in-addr.arpa", "PTR", [f"db-0.{DB}."]),
    ("6.2.244.10.in-addr.arpa", "PTR", [f"10-244-2-6.{DB}."]),
    ("outside.default.svc.cluster.local", "CNAME", ["example.org."]),
    ("inside.default.svc.cluster.local", "A", ["10.96.1.1", f"{WEB}."]),
    ("10-244-3-4.default.pod.cluster.local", "A", ["10.244.3.4"]),
    ("dns-version.cluster.local", "TXT", ['"1.1.0"']),
    ("cluster.local", "NS", ["ns.dns.cluster.local."]),
    ("ns.dns.cluster.local", "A", ["10.96.0.10"]),
    ("10.0.96.10.in-addr.arpa", "PTR", ["ns.dns.cluster.local."]),
]


@pytest.mark.parametrize(("name", "kind", "expected"), ANSWERS)
def test_answers(name: str, kind: str, expected: list[str]) -> None:
    reply = asked(name, kind)
    assert said(reply) == expected
    assert reply.rcode() == dns.rcode.NOERROR
    assert reply.flags & dns.flags.AA
    assert reply.question[0].name.to_text().rstrip(".") == name.rstrip(".")


EMPTY = [
    (WEB, "AAAA"),
    (WEB, "MX"),
    (WEB, "HTTPS"),
    (DB, "AAAA"),
    ("default.svc.cluster.local", "A"),
    ("svc.cluster.local", "A"),
    (f"_tcp.{WEB}", "SRV"),
    ("cluster.local", "A"),
    ("pod.cluster.local", "A"),
    ("default.pod.cluster.local", "A"),
    ("10-244-3-4.default.pod.cluster.local", "AAAA"),
]
ABSENT = [
    "nothing.default.svc.cluster.local",
    "web.other.svc.cluster.local",
    "google.com.default.svc.cluster.local",
    "10-1-2-3.default.pod.cluster.local",
    "999-1-2-3.default.pod.cluster.local",
    "7.2.244.10.in-addr.arpa",  # an endpoint that is not ready
    "9.9.96.10.in-addr.arpa",
]


@pytest.mark.parametrize(("name", "kind"), EMPTY)
def test_a_name_without_that_kind_is_an_empty_answer(name: str, kind: str) -> None:
    reply = asked(name, kind)
    assert (reply.rcode(), said(reply)) == (dns.rcode.NOERROR, [])
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize("kind", ["A", "AAAA"])
@pytest.mark.parametrize("name", ABSENT)
def test_a_name_that_is_not_there_is_denied_with_the_soa(name: str, kind: str) -> None:
    reply = asked(name, kind)
    assert (reply.rcode(), said(reply)) == (dns.rcode.NXDOMAIN, [])
    assert reply.authority[0].rdtype == dns.rdatatype.SOA
    assert reply.authority[0].ttl == 5


@pytest.mark.parametrize(
    "name", ["example.org", "cluster.local.example.org", "notcluster.local", "1.1.1.1.in-addr.arpa"]
)
def test_other_names_are_asked_upstream(name: str) -> None:
    query = dns.message.make_query(name, "A")
    assert consider(query.to_wire(), ZONE, tcp=False) == Forward()


def test_srv_answers_bring_the_addresses() -> None:
    reply = asked(f"_sql._tcp.{DB}", "SRV", edns=0)
    assert {str(rrset.name): str(rrset[0]) for rrset in reply.additional} == {
        f"db-0.{DB}.": "10.244.1.5",
        f"10-244-2-6.{DB}.": "10.244.2.6",
    }


def test_an_alias_out_of_the_zone_is_chased() -> None:
    query = dns.message.make_query("outside.default.svc.cluster.local", "A")
    step = consider(query.to_wire(), ZONE, tcp=False)
    assert isinstance(step, Chase)
    question = dns.message.from_wire(step.question)
    assert question.question[0].to_text() == "example.org. IN A"
    told = dns.message.make_response(question)
    told.answer.append(
        dns.message.from_text(
            "id 1\nopcode QUERY\nrcode NOERROR\nflags QR\n;QUESTION\n;ANSWER\n"
            "example.org. 60 IN A 93.184.216.34\n"
        ).answer[0]
    )
    reply = dns.message.from_wire(join(step, told.to_wire()))
    assert query.is_response(reply)
    assert said(reply) == ["93.184.216.34", "example.org."]
    assert dns.message.from_wire(join(step, None)).rcode() == dns.rcode.SERVFAIL
    assert dns.message.from_wire(join(step, b"nonsense")).rcode() == dns.rcode.SERVFAIL


def test_aliases_in_a_circle_end() -> None:
    made = picture()
    for name, target in (("a", "b"), ("b", "a")):
        alias = service(name)
        alias.spec.type = "ExternalName"
        alias.spec.externalName = f"{target}.default.svc.cluster.local"
        made.put(SERVICES, alias)
    query = dns.message.make_query("a.default.svc.cluster.local", "A")
    step = consider(query.to_wire(), made.zone, tcp=False)
    assert isinstance(step, Answer)


def test_turns_spread_the_first_address() -> None:
    step = consider(dns.message.make_query(DB, "A").to_wire(), ZONE, tcp=False)
    assert isinstance(step, Answer)
    firsts = [str(dns.message.from_wire(turn).answer[0][0]) for turn in step.turns]
    assert firsts == ["10.244.1.5", "10.244.2.6"]


@pytest.mark.parametrize(
    ("edns", "tcp", "truncated", "most"),
    [(False, False, True, 512), (0, False, True, 1232), (0, True, False, 65535)],
)
def test_what_does_not_fit_comes_by_tcp(
    edns: int | bool, tcp: bool, truncated: bool, most: int
) -> None:
    made = picture()
    made.put(SERVICES, service("many", "None"))
    addresses = [f"10.244.{part}.{host}" for part in range(3) for host in range(1, 101)]
    made.put(ENDPOINT_SLICES, endpoints("many", *addresses))
    query = dns.message.make_query(
        "many.default.svc.cluster.local", "A", use_edns=edns, payload=4096
    )
    step = consider(query.to_wire(), made.zone, tcp=tcp)
    assert isinstance(step, Answer)
    reply = dns.message.from_wire(step.turns[0])
    assert len(step.turns[0]) <= most
    assert bool(reply.flags & dns.flags.TC) == truncated
    assert len(said(reply)) == 300 or truncated


def test_edns_is_answered_with_edns() -> None:
    assert asked(WEB, edns=0).edns == 0
    assert asked(WEB, edns=0).payload == 1232
    assert asked(WEB, edns=False).edns == -1
    assert asked(WEB, edns=1).rcode() == dns.rcode.BADVERS


def test_a_change_of_the_zone_grows_its_version() -> None:
    made = picture()
    version = made.zone.version
    made.put(SERVICES, service("web", "10.96.1.1", ports=[("http", 80)]))
    assert made.zone.version == version
    made.drop(SERVICES, service("web"))
    assert made.zone.version > version
    query = dns.message.make_query(WEB, "A")
    step = consider(query.to_wire(), made.zone, tcp=False)
    assert isinstance(step, Answer)
    assert dns.message.from_wire(step.turns[0]).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("id 1\nopcode STATUS\nflags RD\n;QUESTION\nweb.cluster.local. IN A\n", dns.rcode.NOTIMP),
        ("id 1\nopcode QUERY\nflags RD\n;QUESTION\ncluster.local. IN AXFR\n", dns.rcode.REFUSED),
        ("id 1\nopcode QUERY\nflags RD\n;QUESTION\ncluster.local. CH A\n", dns.rcode.REFUSED),
        ("id 1\nopcode QUERY\nflags RD\n;QUESTION\n", dns.rcode.FORMERR),
        (
            "id 1\nopcode QUERY\nflags RD\n;QUESTION\n"
            "a.cluster.local. IN A\nb.cluster.local. IN A\n",
            dns.rcode.FORMERR,
        ),
    ],
)
def test_questions_that_are_refused(text: str, code: dns.rcode.Rcode) -> None:
    step = consider(dns.message.from_text(text).to_wire(), ZONE, tcp=False)
    assert isinstance(step, Answer)
    assert dns.message.from_wire(step.turns[0]).rcode() == code


def test_an_answer_is_not_a_question() -> None:
    reply = dns.message.make_response(dns.message.make_query(WEB, "A"))
    assert consider(reply.to_wire(), ZONE, tcp=False) is None


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_get_an_answer_or_silence(tail: bytes, header: bool) -> None:
    wire = (b"\1\2\1\0\0\1\0\0\0\0\0\0" if header else b"") + tail
    step = consider(wire, ZONE, tcp=False)
    if isinstance(step, Answer):
        assert step.turns[0][:2] == wire[:2]


@given(st.integers(12, 60), st.binary(min_size=1, max_size=4))
def test_a_damaged_question_breaks_nothing(place: int, damage: bytes) -> None:
    wire = bytearray(dns.message.make_query(WEB, "A", use_edns=0).to_wire())
    wire[place : place + len(damage)] = damage
    step = consider(bytes(wire), ZONE, tcp=False)
    assert isinstance(step, Answer | Forward)


@pytest.mark.parametrize("text", ["a b", "x" * 64, "-x", "a..b", "a\nb", "a.org 5 IN A 1.1.1.1"])
def test_names_that_are_none_are_left_out(text: str) -> None:
    made = picture()
    alias = service("odd")
    alias.spec.type, alias.spec.externalName = "ExternalName", text
    made.put(SERVICES, alias)
    assert not made.zone.find("odd.default.svc.cluster.local").exists
