"""What clients of real control nodes were told, on paper: between the processes of a run.

The client process writes one file at its end, the judge reads it; on a failure it stays for the
reader. It holds a `tests.sim.history.History` without changes. Where the API does not say what
the checkers ask for, there is UNTOLD, which `placing` fills in. Pure module.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import (
    Change,
    Commit,
    Key,
    Outcome,
    Refusal,
    Result,
    Row,
    Write,
)
from tests.sim.history import History, Kind, Operation, Page, Seen, Watch

UNTOLD = -1
"""A revision that the API does not tell: of a refusal, of a read's state, of a creation."""
RESOURCE = "configmaps"
FIELD = "token"
"""The entry of a ConfigMap's data that holds the token of its write."""
SPACES = ("histories-a", "histories-b")
KEYS = tuple(Key(RESOURCE, space, f"{space[-1]}-{name}") for space in SPACES for name in "klm")


@dataclass(slots=True)
class Disk:
    """What one member holds at the end. rows: of all resources, with the checksum over them."""

    changes: list[Change]
    revision: int
    floor: int = 0
    checksum: int = 0


@dataclass
class Ledger:
    """One run. complaints: what clients found that no answer can show (nothing answered)."""

    history: History
    complaints: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def encode(ledger: Ledger) -> str:
    """The text of a file, one operation or watch a line."""
    lines: list[Any] = [{"complaints": ledger.complaints, "counts": ledger.counts}]
    lines += [_operation(one) for one in ledger.history.operations]
    lines += [_watch(one) for one in ledger.history.watches]
    return "".join(json.dumps(line) + "\n" for line in lines)


def decode(text: str) -> Ledger:
    """The run that `encode` wrote."""
    head, *lines = map(json.loads, text.splitlines())
    history = History()
    for line in lines:
        if "kind" in line:
            history.operations.append(_read_operation(line))
        else:
            history.watches.append(_read_watch(line))
    return Ledger(history, head["complaints"], head["counts"])


def encode_disk(disk: Disk) -> str:
    """The text of a file."""
    changes = [
        [c.revision, *c.key, _text(c.value), c.created, c.replaced, c.end] for c in disk.changes
    ]
    return json.dumps([disk.revision, disk.floor, disk.checksum, changes])


def decode_disk(text: str) -> Disk:
    """What `encode_disk` wrote; previous values are left out."""
    revision, floor, checksum, changes = json.loads(text)
    return Disk(
        [
            Change(number, Key(*key), _bytes(value), None, created, replaced, end)
            for number, *key, value, created, replaced, end in changes
        ],
        revision, floor, checksum,
    )  # fmt: skip


def _operation(one: Operation) -> dict[str, Any]:
    commit, result = one.commit, one.result
    return {
        "kind": one.kind,
        "number": one.number,
        "client": one.client,
        "invoked": one.invoked,
        "returned": one.returned if one.known else None,
        "id": commit.id.hex() if commit else None,
        "atomic": bool(commit and commit.atomic),
        "writes": [[*w.key, _text(w.value), w.expect] for w in commit.writes] if commit else [],
        "outcomes": [list(outcome) for outcome in result.outcomes] if result else None,
        "key": one.key,
        "resource": one.resource,
        "revision": result.revision if result else one.revision,
        "rows": [[*row.key, _text(row.value), row.revision, row.created] for row in one.rows],
        "member": one.member,
        "tries": one.tries,
        "failed": one.failed,
    }


def _read_operation(line: dict[str, Any]) -> Operation:
    one = Operation(line["number"], line["client"], Kind(line["kind"]), line["invoked"])
    if line["returned"] is not None:
        one.returned = line["returned"]
    if line["id"] is not None:
        writes = [Write(Key(*key), _bytes(value), at) for *key, value, at in line["writes"]]
        one.commit = Commit(bytes.fromhex(line["id"]), writes, (), line["atomic"])
    if line["outcomes"] is not None:
        outcomes = [_read_outcome(*outcome) for outcome in line["outcomes"]]
        one.result = Result(tuple(outcomes), line["revision"])
    else:
        one.revision = line["revision"]
    one.key = Key(*line["key"]) if line["key"] else None
    one.resource = line["resource"]
    one.rows = [
        Row(Key(*key), _bytes(value) or b"", revision, created)
        for *key, value, revision, created in line["rows"]
    ]
    one.member, one.tries, one.failed = line["member"], line["tries"], line["failed"]
    return one


def _read_outcome(revision: int, refusal: str | None, current: int) -> Outcome:
    return Outcome(revision, None if refusal is None else Refusal(refusal), current)


def _watch(one: Watch) -> dict[str, Any]:
    return {
        "watch": one.number,
        "resource": one.resource,
        "after": one.after,
        "member": one.member,
        "expired": one.expired,
        "pages": [[page.revision, [_seen(event) for event in page.events]] for page in one.pages],
    }


def _seen(event: Seen) -> Sequence[Any]:
    return [event.type, event.revision, event.key, _text(event.value)]


def _read_watch(line: dict[str, Any]) -> Watch:
    watch = Watch(line["watch"], line["resource"], line["after"], line["member"])
    watch.expired = line["expired"]
    for revision, events in line["pages"]:
        seen = [
            Seen(EventType(kind), number, Key(*key) if key else None, _bytes(value))
            for kind, number, key, value in events
        ]
        watch.pages.append(Page(seen, revision))
    return watch


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode()
