"""Changes of the group over the Cluster service, and a control node that joins, on real engines
that are one another's only peers in process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.api.errors import ApiError, Reason, leader_addresses
from holdfast.api.identity import ADMINS, Identity, of_node
from holdfast.api.rpc.v1 import cluster_pb2 as wire
from holdfast.control.access.tokens import RESOURCE
from holdfast.control.registry.addresses.ranges import Ranges
from holdfast.control.rpc.enrolment import Enrolment
from holdfast.control.rpc.members import MembersMethods, addresses, find, shown
from holdfast.control.store.engine import NotLeaderError, StoreError
from holdfast.control.store.replicated.members import Member, MemberRole, Standing
from tests.control.access.doors import Clock, Open, call, open_doors, refused

ADMIN = Identity("admin", (ADMINS,))


@dataclass
class FakeGroup:
    """A group in memory: what the engine promises of it, without a log."""

    member: int = 1
    standings: dict[int, Standing] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    fails: StoreError | None = None

    def members(self) -> list[Standing]:
        return list(self.standings.values())

    def put(self, number: int, role: MemberRole = MemberRole.VOTER, *, leads: bool = False) -> None:
        member = Member(number, f"control-{number}", f"p{number}:1", (f"h{number}:1",))
        self.standings[number] = Standing(member, role, leads, 1.0)

    async def add_member(self, member: Member) -> None:
        self._note(f"add {member.name}")
        self.standings[member.id] = Standing(member, MemberRole.LEARNER, False, 0.0)

    async def promote_member(self, member: int) -> None:
        self._note(f"promote {member}")

    async def remove_member(self, member: int) -> None:
        self._note(f"remove {member}")
        self.standings.pop(member)

    async def transfer(self, member: int) -> None:
        self._note(f"transfer {member}")

    def _note(self, what: str) -> None:
        self.story.append(what)
        if self.fails:
            raise self.fails


def three() -> FakeGroup:
    group = FakeGroup()
    group.put(1, leads=True)
    group.put(2)
    group.put(0xABC, MemberRole.LEARNER)
    return group


def asked(word: str) -> wire.MemberRequest:
    return wire.MemberRequest(member=word)


async def test_members_are_named_by_name_or_id() -> None:
    group = three()
    await MembersMethods(group).promote(asked("0000000000000ABC"), ADMIN)
    await MembersMethods(group).transfer(asked("control-2"), ADMIN)
    assert group.story == ["promote 2748", "transfer 2"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [("", "say which"), ("nobody", 'there is no control node "nobody"'), ("abc", "there is no")],
)
def test_a_wrong_name_is_named(word: str, sentence: str) -> None:
    with pytest.raises(ApiError, match=sentence):
        find(three().members(), word)


async def test_a_leader_that_is_removed_hands_over_first() -> None:
    group = three()
    with pytest.raises(ApiError, match="leads now") as told:
        await MembersMethods(group).remove(asked("control-1"), ADMIN)
    assert leader_addresses(told.value) == ("h2:1",)
    assert group.story == ["transfer 2"]


async def test_a_leader_is_removed_also_when_nobody_takes_over() -> None:
    group = three()

    async def fails(_member: int) -> None:
        raise StoreError("it did not take over")

    group.transfer = fails  # type: ignore[method-assign]
    reply = await MembersMethods(group).remove(asked("control-1"), ADMIN)
    assert (group.story, reply.member.name) == (["remove 1"], "control-1")


async def test_another_member_is_removed_at_once() -> None:
    group = three()
    await MembersMethods(group).remove(asked("control-2"), ADMIN)
    assert group.story == ["remove 2"]


async def test_what_cannot_be_is_a_conflict_and_lost_leadership_is_not() -> None:
    group = three()
    group.fails = StoreError("it has 30 % of the log")
    with pytest.raises(ApiError, match="30 %") as refusal:
        await MembersMethods(group).promote(asked("control-2"), ADMIN)
    assert refusal.value.reason is Reason.CONFLICT
    group.fails = NotLeaderError("another leads")
    with pytest.raises(NotLeaderError):
        await MembersMethods(group).promote(asked("control-2"), ADMIN)


async def test_nodes_may_change_nothing() -> None:
    for method in ("remove", "promote", "transfer"):
        with pytest.raises(ApiError, match="cannot") as refusal:
            await getattr(MembersMethods(three()), method)(asked("control-2"), of_node("n1"))
        assert refusal.value.reason is Reason.FORBIDDEN


def test_what_is_shown() -> None:
    one = shown(Standing(Member(5, "c", "p:1", ("a:1", "b:1")), MemberRole.LEARNER, False, -1.0))
    assert (one.id, one.endpoint, one.voter) == ("0000000000000005", "a:1", False)
    assert not one.HasField("matched")
    assert addresses(three().members()) == ("h1:1", "h2:1", "h2748:1")


def request(token: str = "", **changes: object) -> wire.JoinControlRequest:
    _, identifier, secret, *_ = (token or "x.y.z").split(".")
    made = wire.JoinControlRequest(
        token_id=identifier, token_secret=secret, member=77, name="control-9", peer="h:4",
        endpoints=["h:1"], service_cidr=str(Ranges().services), pod_cidr=str(Ranges().pods),
    )  # fmt: skip
    for name, value in changes.items():
        if isinstance(value, list):
            made.ClearField(name)  # type: ignore[arg-type]
            getattr(made, name).extend(value)
        else:
            setattr(made, name, value)
    return made


def enrolment(doors: Open, group: FakeGroup) -> Enrolment:
    return Enrolment(group, doors.authority, doors.tokens, Ranges(), lambda: "test")


async def token(doors: Open, uses: int = 0, *, control: bool = True) -> str:
    return str(await doors.tokens.create(0, "", uses, control=control))


async def test_who_joins_gets_what_control_nodes_share(tmp_path: Path) -> None:
    async with open_doors(tmp_path, Clock()) as doors:
        group = three()
        reply = await enrolment(doors, group).join(request(await token(doors)))
        assert (reply.cluster_id, reply.ca_pem) == ("test", doors.authority.pem)
        assert b"PRIVATE KEY" in reply.ca_key_pem
        assert "h:1" in reply.endpoints
        assert group.story == ["add control-9"]


async def test_the_same_member_is_answered_again(tmp_path: Path) -> None:
    async with open_doors(tmp_path, Clock()) as doors:
        group, given = three(), await token(doors, uses=1)
        first = await enrolment(doors, group).join(request(given))
        second = await enrolment(doors, group).join(request(given))
        assert first == second
        assert group.story == ["add control-9"]


async def test_a_used_up_token_lets_nobody_in(tmp_path: Path) -> None:
    async with open_doors(tmp_path, Clock()) as doors:
        group, given = three(), await token(doors, uses=1)
        await doors.tokens.redeem(*given.split(".")[1:3], control=True)
        with pytest.raises(ApiError, match="not valid"):
            await enrolment(doors, group).join(request(given))
        assert group.story == ["add control-9", "remove 77"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"member": 0}, "not an id"),
        ({"name": "Big Name"}, '--name "Big Name"'),
        ({"peer": "nowhere"}, '"nowhere" is not HOST:PORT'),
        ({"endpoints": []}, "endpoints must be"),
        ({"pod_cidr": "10.1.0.0/16"}, "--pod-cidr"),
        ({"service_cidr": "10.1.0.0/16"}, "--service-cidr"),
        ({"name": "control-2"}, 'control node "control-2" at p2:1'),
        ({"peer": "p2:1"}, 'control node "control-2" at p2:1'),
        ({"member": 2}, 'control node "control-2" at p2:1'),
    ],
)
async def test_a_wrong_request_is_named_and_changes_nothing(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    async with open_doors(tmp_path, Clock()) as doors:
        group = three()
        with pytest.raises(ApiError, match=sentence):
            await enrolment(doors, group).join(request(await token(doors), **changes))
        assert group.story == []


async def test_who_has_the_state_elsewhere_is_sent_away(tmp_path: Path) -> None:
    async with open_doors(tmp_path, Clock()) as doors:
        group = three()
        with pytest.raises(ApiError, match="without --store"):
            await enrolment(doors, group).join(request(await token(doors), peer=""))
        assert group.story == []


async def test_on_an_etcd_nobody_is_called(tmp_path: Path) -> None:
    async with open_doors(tmp_path, Clock()) as doors:
        group = FakeGroup()
        there = Enrolment(
            group, doors.authority, doors.tokens, Ranges(), lambda: "test", peers=False
        )
        given = await token(doors, uses=2)
        await there.join(request(given, peer=""))
        await there.join(request(given, peer="", member=78, name="control-8", endpoints=["h:8"]))
        assert group.story == ["add control-9", "add control-8"]
        with pytest.raises(ApiError, match='control node "control-9" at h:1 is a member'):
            await there.join(request(given, peer="", member=79))


async def test_tokens_of_one_sort_do_not_serve_for_the_other(tmp_path: Path) -> None:
    async with open_doors(tmp_path, Clock()) as doors:
        for_nodes, for_control = await token(doors, control=False), await token(doors)
        admin = doors.admin()
        wrong = await refused(call(doors.tokens_at, admin, "JoinControl", request(for_nodes)))
        assert "for nodes" in wrong.message
        _, identifier, secret, *_ = for_control.split(".")
        joining = wire.JoinRequest(token_id=identifier, token_secret=secret, node_name="n1")
        wrong = await refused(call(doors.tokens_at, admin, "Join", joining))
        assert "for control nodes" in wrong.message
        listed = (await call(doors.mutual, admin, "ListTokens", wire.ListTokensRequest())).tokens
        assert sorted(one.control for one in listed) == [False, True]
        assert all(row.key.resource == RESOURCE for row in doors.engine.rows(RESOURCE))
