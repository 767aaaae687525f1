"""From a question's bytes to what is to be done with it: an answer, a forward, a chase, nothing.

`consider` is all of the server's thinking; the shell moves bytes. An answer with several
addresses comes in several turns of the same records, so that clients that take the first one
spread. Pure module.

Sources: RFC 1035 (format), 2308 (negative answers carry the SOA), 6891 (EDNS), 8482 (ANY).
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from holdfast.netproxy.dns.records import Record, RecordType
from holdfast.netproxy.dns.zone import TTL_S, Found, Zone

HEADER_BYTES = 12
UDP_BYTES = 512
"""What an answer over UDP may have when the client says nothing (RFC 1035)."""

PAYLOAD_BYTES = 1232
"""The most we send over UDP and say we take: fits every path (DNS flag day 2020)."""

TCP_BYTES = 65535
TURNS_MAX = 8
ALIASES_MAX = 8
"""CNAMEs followed inside the zone."""

GLUE_MAX = 64
"""Addresses put beside SRV records."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Send one of these, whichever is next; the first two bytes are the id of the question."""

    turns: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """Not ours: ask upstream, send its answer on."""


@dataclass(frozen=True, slots=True)
class Chase:
    """An alias that leads out of the zone: ask upstream for `question`, then `join`."""

    question: bytes
    query: dns.message.Message
    aliases: tuple[tuple[str, Record], ...]
    limit_bytes: int


def consider(wire: bytes, zone: Zone, *, tcp: bool) -> Answer | Forward | Chase | None:
    """What to do with a datagram, or with one message over TCP.

    None: say nothing, it is no question.
    """
    if len(wire) < HEADER_BYTES or wire[2] & 0x80:
        return None
    if _opcode(wire) != dns.opcode.QUERY:
        return Answer((refusal(wire, dns.rcode.NOTIMP),))
    name = question_name(wire)
    if name is None:
        return Answer((refusal(wire, dns.rcode.FORMERR),))
    if not zone.owns(name):
        return Forward()
    try:
        query = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return Answer((refusal(wire, dns.rcode.FORMERR),))
    return _ours(query, name, zone, _limit(query, tcp=tcp))


def question_name(wire: bytes) -> str | None:
    """The name asked for, lower case without the last dot; None when there is not one question."""
    if wire[4:6] != b"\0\1":
        return None
    labels, place = [], HEADER_BYTES
    while place < len(wire) and (length := wire[place]):
        if length > 63 or place + length >= len(wire):
            return None
        labels.append(wire[place + 1 : place + 1 + length])
        place += 1 + length
    if place + 5 > len(wire) or place - HEADER_BYTES > 254:
        return None
    return b".".join(labels).decode("latin-1").lower()


def refusal(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    """An answer that says only why there is none; built from the header, whatever follows it.

    The question is repeated when it can be read: clients match answers by it.
    """
    flags = bytes([0x80 | (wire[2] & 0x79), 0x80 | int(code)])
    end = question_end(wire)
    count = b"\0\1" if end else b"\0\0"
    return wire[:2] + flags + count + bytes(6) + wire[HEADER_BYTES:end]


def question_end(wire: bytes) -> int:
    """The place after the one question, 0 when it cannot be read."""
    if question_name(wire) is None:
        return 0
    place = HEADER_BYTES
    while wire[place]:
        place += 1 + wire[place]
    return place + 5


def _opcode(wire: bytes) -> int:
    return (wire[2] >> 3) & 0xF


def _limit(query: dns.message.Message, *, tcp: bool) -> int:
    if tcp:
        return TCP_BYTES
    if query.edns < 0:
        return UDP_BYTES
    return max(UDP_BYTES, min(query.payload, PAYLOAD_BYTES))


def _ours(query: dns.message.Message, name: str, zone: Zone, limit: int) -> Answer | Chase:
    question = query.question[0]
    if query.edns > 0:
        return _coded(query, dns.rcode.BADVERS, limit)
    if question.rdclass != dns.rdataclass.IN or question.rdtype in (
        dns.rdatatype.AXFR,
        dns.rdatatype.IXFR,
    ):
        return _coded(query, dns.rcode.REFUSED, limit)
    kind = dns.rdatatype.to_text(question.rdtype)
    aliases, found = _follow(name, kind, zone)
    last = aliases[-1][1].data.rstrip(".") if aliases else name
    if found is None:
        return Chase(_question_for(last, question.rdtype), query, aliases, limit)
    if last == zone.origin and kind in ("SOA", "ANY"):
        found = Found(True, (*found.records, zone.soa))
    records = [record for record in found.records if kind in (record.type, "ANY")]
    turns = min(len(records), TURNS_MAX) if len(records) > 1 and kind == "A" else 1
    wires = []
    for turn in range(turns):
        reply = _reply(query)
        _put_aliases(reply, aliases)
        turned = records[turn:] + records[:turn]
        _put(reply, reply.answer, question.name if not aliases else _name(last), turned)
        _put_glue(reply, records, zone)
        if not found.exists:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if not records:
            _put(reply, reply.authority, _name(zone.origin), [zone.soa])
        wires.append(_wire(reply, limit))
    return Answer(tuple(wires))


def _follow(
    name: str, kind: str, zone: Zone
) -> tuple[tuple[tuple[str, Record], ...], Found | None]:
    """(aliases on the way, what is at its end); None: the end is not in this zone."""
    aliases: list[tuple[str, Record]] = []
    while True:
        found = zone.find(name)
        alias = next((one for one in found.records if one.type is RecordType.CNAME), None)
        if alias is None or kind in ("CNAME", "ANY"):
            return tuple(aliases), found
        aliases.append((name, alias))
        name = alias.data.rstrip(".")
        if not zone.owns(name):
            return tuple(aliases), None
        if len(aliases) == ALIASES_MAX:
            return tuple(aliases), Found(True)


def _question_for(name: str, kind: dns.rdatatype.RdataType) -> bytes:
    message = dns.message.make_query(_name(name), kind, id=0, use_edns=0, payload=PAYLOAD_BYTES)
    return bytes(message.to_wire())


def join(chase: Chase, upstream: bytes | None) -> bytes:
    """The answer of a chase: the aliases, then what upstream says of where they lead.

    upstream: its message, None when nobody answered (SERVFAIL, so that the client asks again).
    """
    reply = _reply(chase.query)
    try:
        told = dns.message.from_wire(upstream) if upstream else None
    except dns.exception.DNSException:
        told = None
    if told is None:
        reply.set_rcode(dns.rcode.SERVFAIL)
        return _wire(reply, chase.limit_bytes)
    _put_aliases(reply, chase.aliases)
    reply.answer += told.answer
    reply.authority += told.authority
    reply.set_rcode(told.rcode())
    reply.flags |= told.flags & dns.flags.TC
    return _wire(reply, chase.limit_bytes)


def _coded(query: dns.message.Message, code: dns.rcode.Rcode, limit: int) -> Answer:
    reply = _reply(query)
    reply.set_rcode(code)
    return Answer((_wire(reply, limit),))


def _reply(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query, True, PAYLOAD_BYTES)
    reply.flags |= dns.flags.AA
    if query.edns > 0:
        reply.use_edns(0, payload=PAYLOAD_BYTES)
    return reply


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _put_aliases(reply: dns.message.Message, aliases: tuple[tuple[str, Record], ...]) -> None:
    for place, (name, record) in enumerate(aliases):
        owner = reply.question[0].name if place == 0 else _name(name)
        _put(reply, reply.answer, owner, [record])


def _put(
    reply: dns.message.Message,
    section: list[dns.rrset.RRset],
    owner: dns.name.Name,
    records: list[Record],
) -> None:
    """Add records of one owner to a section, one set a type, in their order."""
    for record in records:
        kind = dns.rdatatype.from_text(record.type)
        data = dns.rdata.from_text(dns.rdataclass.IN, kind, record.data)
        rrset = reply.find_rrset(section, owner, dns.rdataclass.IN, kind, create=True)
        rrset.add(data, TTL_S)


def _put_glue(reply: dns.message.Message, records: list[Record], zone: Zone) -> None:
    """The addresses of SRV targets, so that the client need not ask again."""
    targets = dict.fromkeys(
        record.data.split()[-1].rstrip(".") for record in records if record.type is RecordType.SRV
    )
    for target in list(targets)[:GLUE_MAX]:
        found = zone.find(target)
        addresses = [record for record in found.records if record.type is RecordType.A]
        _put(reply, reply.additional, _name(target), addresses)


def _wire(reply: dns.message.Message, limit: int) -> bytes:
    """Its bytes; what does not fit is left out and the client told to come by TCP."""
    return bytes(reply.to_wire(max_size=limit, prefer_truncation=True, want_shuffle=False))
