"""The judge of real runs, on small histories made by hand: the right one passes, and each planted
wrong is found by its checker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import (
    ABSENT,
    ANY,
    Change,
    Commit,
    Key,
    Outcome,
    Refusal,
    Result,
    Row,
    Write,
)
from tests.integration.histories.judging import judge, judge_leaders
from tests.integration.histories.ledger import (
    RESOURCE,
    UNTOLD,
    Disk,
    Ledger,
    decode,
    decode_disk,
    encode,
    encode_disk,
)
from tests.sim.history import History, Kind, Operation, Page, Seen, token

K, L = Key(RESOURCE, "histories-a", "a-k"), Key(RESOURCE, "histories-a", "a-l")
OWN = Key("namespaces", "", "default")


class Story:
    """A run in the making: the state is kept, every call adds what a right member would tell."""

    def __init__(self) -> None:
        self.history = History()
        self.changes: list[Change] = []
        self.now = 0.0
        self._objects: dict[Key, Row] = {}

    @property
    def revision(self) -> int:
        return len(self.changes)

    def begin(self, kind: Kind) -> Operation:
        self.now += 1.0
        return self.history.begin(1, kind, self.now)

    def end(self, operation: Operation) -> Operation:
        self.now += 1.0
        operation.returned = self.now
        return operation

    def change(self, key: Key, value: bytes | None, end: int) -> int:
        before = self._objects.pop(key, None)
        revision = self.revision + 1
        created = before.created if before else revision
        if value is not None:
            self._objects[key] = Row(key, value, revision, created)
        replaced = before.revision if before else 0
        self.changes.append(Change(revision, key, value, None, created, replaced, end))
        return revision

    def write(
        self, *writes: tuple[Key, int], atomic: bool = False, delete: bool = False
    ) -> Operation:
        operation = self.begin(Kind.WRITE)
        end = self.revision + len(writes)
        filled = [
            Write(key, None if delete else token(operation.number, at), expect)
            for at, (key, expect) in enumerate(writes)
        ]
        operation.commit = Commit(b"%016d" % operation.number, filled, (), atomic)
        done = tuple(Outcome(self.change(one.key, one.value, end)) for one in filled)
        operation.result = Result(done, end)
        return self.end(operation)

    def refused(self, key: Key, expect: int, refusal: Refusal) -> Operation:
        operation = self.begin(Kind.WRITE)
        value = token(operation.number, 0)
        operation.commit = Commit(b"%016d" % operation.number, [Write(key, value, expect)])
        operation.result = Result((Outcome(0, refusal, UNTOLD),), UNTOLD)
        return self.end(operation)

    def read(self, key: Key, kind: Kind = Kind.READ) -> Operation:
        operation = self.begin(kind)
        operation.key, operation.revision = key, UNTOLD
        found = self._objects.get(key)
        operation.rows = [found._replace(created=UNTOLD)] if found else []
        return self.end(operation)

    def listed(self) -> Operation:
        operation = self.begin(Kind.LIST)
        operation.resource, operation.revision = RESOURCE, self.revision
        rows = [row for key, row in sorted(self._objects.items()) if key.resource == RESOURCE]
        operation.rows = [row._replace(created=UNTOLD) for row in rows]
        return self.end(operation)

    def judged(self, *disks: Disk) -> list[str]:
        """What the judge finds, when it has read everything from files."""
        ledger = decode(encode(Ledger(self.history)))
        there = dict(enumerate(disks or (self.disk(), self.disk()), 1))
        return judge(ledger, {n: decode_disk(encode_disk(one)) for n, one in there.items()})

    def disk(self) -> Disk:
        return Disk(list(self.changes), self.revision, 0, 7)


@pytest.fixture
def story() -> Story:
    """Two keys, written, read, listed and watched; the control nodes write something too."""
    story = Story()
    story.change(OWN, b"", 1)
    story.write((K, ABSENT))
    story.write((K, 2), (L, ABSENT), atomic=True)
    story.refused(K, ABSENT, Refusal.EXISTS)
    story.refused(K, 2, Refusal.STALE)
    story.read(K)
    story.listed()
    watch = story.history.connect(RESOURCE, 2, 1)
    first, second = story.changes[2:4]
    events = [
        Seen(EventType.MODIFIED, 3, K, first.value),
        Seen(EventType.ADDED, 4, L, second.value),
    ]
    watch.pages.append(Page(events, 4))
    story.write((L, ANY), delete=True)
    story.refused(L, ANY, Refusal.MISSING)
    story.read(L)
    story.read(K, Kind.STALE)
    story.change(OWN, b"", 6)
    return story


def letters(found: list[str]) -> str:
    return "".join(sorted({sentence[0] for sentence in found}))


def test_a_right_history_passes(story: Story) -> None:
    assert story.judged() == []


def test_an_acknowledged_write_that_is_gone_from_the_disks(story: Story) -> None:
    lost = story.disk()
    del lost.changes[4]  # the delete
    assert "A" in letters(story.judged(lost, lost))


def test_the_last_acknowledged_write_is_gone_from_the_disks(story: Story) -> None:
    story.write((K, ANY))
    short = story.disk()
    last = short.changes.pop()
    short.revision = last.revision - 1
    found = story.judged(short, short)
    assert any(one.startswith("A: ") and "write" in one for one in found), found


def test_an_acknowledged_write_that_is_gone_from_one_disk(story: Story) -> None:
    lost = story.disk()
    lost.changes.pop()
    lost.revision -= 1
    assert "S" in letters(story.judged(story.disk(), lost))


def test_members_with_different_state_behind_equal_changes(story: Story) -> None:
    other = story.disk()
    other.checksum += 1
    assert letters(story.judged(story.disk(), other)) == "S"


def test_a_read_that_is_old(story: Story) -> None:
    operation = story.read(K)
    operation.rows = [Row(K, token(1, 0), 2, UNTOLD)]
    found = story.judged()
    assert letters(found) == "R" and "fits no revision" in found[0]


def test_a_stale_read_may_be_old(story: Story) -> None:
    operation = story.read(K, Kind.STALE)
    operation.rows = [Row(K, token(1, 0), 2, UNTOLD)]
    assert story.judged() == []


def test_what_a_stale_read_showed_is_behind_whatever_is_asked_later(story: Story) -> None:
    slow = story.write((L, ABSENT))
    story.read(L, Kind.STALE)
    story.refused(K, ABSENT, Refusal.EXISTS)
    slow.returned = story.now + 1.0
    assert story.judged() == []


def test_a_read_that_saw_nothing_where_something_is(story: Story) -> None:
    story.read(K).rows = []
    assert letters(story.judged()) == "R"


def test_a_list_that_lacks_an_object(story: Story) -> None:
    operation = story.listed()
    operation.rows = []
    assert "R" in letters(story.judged())


def test_a_list_below_what_was_answered(story: Story) -> None:
    operation = story.listed()
    operation.revision = 2
    operation.rows = [Row(K, token(1, 0), 2, UNTOLD)]
    assert "R" in letters(story.judged())


@pytest.mark.parametrize(
    ("key", "expect", "refusal"),
    [
        (L, ABSENT, Refusal.EXISTS),  # it was deleted
        (K, 3, Refusal.STALE),  # it is just this one
        (K, ANY, Refusal.MISSING),  # it is there
        (L, ABSENT, Refusal.MISSING),  # a create misses nothing
    ],
)
def test_a_refusal_without_a_reason(story: Story, key: Key, expect: int, refusal: Refusal) -> None:
    story.refused(key, expect, refusal)
    assert letters(story.judged()) == "R"


def test_a_refusal_by_a_state_that_was_over_before_it_was_asked(story: Story) -> None:
    story.write((L, ABSENT))
    story.refused(L, ANY, Refusal.MISSING)
    assert letters(story.judged()) == "R"


def test_a_precondition_that_did_not_hold(story: Story) -> None:
    operation = story.write((K, ANY))
    assert operation.commit
    write = operation.commit.writes[0]
    operation.commit = replace(operation.commit, writes=[write._replace(expect=2)])
    assert set(letters(story.judged())) >= {"R"}


def test_a_write_that_happened_twice(story: Story) -> None:
    operation = story.write((K, ANY))
    assert operation.commit
    story.change(K, operation.commit.writes[0].value, story.revision + 1)
    assert "O" in letters(story.judged())


def test_a_delete_that_happened_twice(story: Story) -> None:
    story.change(L, token(2, 1), story.revision + 1)
    story.change(L, None, story.revision + 1)
    assert "O" in letters(story.judged())


def test_a_write_that_nobody_asked_for(story: Story) -> None:
    story.change(K, b"999.0", story.revision + 1)
    assert "R" in letters(story.judged())


def test_an_unknown_write_may_have_happened_or_not(story: Story) -> None:
    operation = story.write((K, ANY))
    operation.result, operation.returned = None, float("inf")
    assert story.judged() == []
    story.changes.pop()
    assert story.judged() == []


def test_a_write_that_was_told_it_did_not_happen(story: Story) -> None:
    operation = story.write((K, ANY))
    operation.result, operation.returned, operation.failed = None, float("inf"), True
    assert "R" in letters(story.judged())


def test_an_atomic_commit_that_was_torn(story: Story) -> None:
    story.write((K, ANY), (L, ABSENT), atomic=True)
    first, last = story.changes[-2:]
    story.changes[-2:] = [first._replace(end=first.revision), last]
    assert letters(story.judged()) == "R"


def test_a_watch_that_lost_an_event(story: Story) -> None:
    del story.history.watches[0].pages[0].events[0]
    assert letters(story.judged()) == "W"


def test_a_watch_that_told_an_event_twice(story: Story) -> None:
    pages = story.history.watches[0].pages
    pages.append(Page(pages[0].events[1:], 4))
    assert letters(story.judged()) == "W"


def test_a_watch_that_split_a_commit(story: Story) -> None:
    watch = story.history.watches[0]
    first, second = watch.pages[0].events
    watch.pages = [Page([first], 3), Page([second], 4)]
    assert letters(story.judged()) == "W"


def test_a_watch_that_was_told_its_revision_is_too_old(story: Story) -> None:
    story.history.connect(RESOURCE, 3, 2).expired = True
    assert letters(story.judged()) == "W"


def test_a_complaint_is_a_violation(story: Story) -> None:
    ledger = Ledger(story.history, ["a key takes no write"])
    assert judge(ledger, {1: story.disk()}) == ["P: a key takes no write"]


def test_two_leaders_of_one_term() -> None:
    assert judge_leaders([(2, "a"), (3, "b"), (4, "a"), (4, "a")]) == []
    assert judge_leaders([(2, "a"), (3, "a"), (3, "b")]) == ["L: a and b both led in term 3"]
