"""The methods of the Cluster service that change the group of control nodes, for administrators.

A member is named by its name or by its id in hexadecimal. What cannot be is one sentence that
says why; nothing is half-done, for each change is one entry of the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from holdfast.api.errors import ApiError, Reason, not_leader
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import cluster_pb2 as wire
from holdfast.control.rpc.doors import allow
from holdfast.control.store.engine import NotLeaderError, StoreError, UnknownOutcomeError
from holdfast.control.store.replicated.members import Member, MemberRole, Standing

MEMBERS = "members.holdfast.dev"
"""The name by which `decide` judges these calls; members are no objects of the API."""


class Group(Protocol):
    """The control nodes, as the engine knows them; see RaftEngine."""

    @property
    def member(self) -> int: ...

    def members(self) -> list[Standing]: ...

    async def add_member(self, member: Member) -> None: ...

    async def promote_member(self, member: int) -> None: ...

    async def remove_member(self, member: int) -> None: ...

    async def transfer(self, member: int) -> None: ...


class MembersMethods:
    """RemoveMember, PromoteMember and TransferLeadership."""

    def __init__(self, group: Group) -> None:
        self._group = group

    async def remove(self, request: wire.MemberRequest, identity: Identity) -> wire.MemberReply:
        """Take a control node out for good. The leader hands over first, and its successor is asked
        then: nobody waits for an election."""
        allow(identity, "delete", MEMBERS, name=request.member)
        await self._hand_over(find(self._group.members(), request.member))
        return await self._change("delete", self._group.remove_member, request, identity)

    async def promote(self, request: wire.MemberRequest, identity: Identity) -> wire.MemberReply:
        """Let a learner vote."""
        return await self._change("update", self._group.promote_member, request, identity)

    async def transfer(self, request: wire.MemberRequest, identity: Identity) -> wire.MemberReply:
        """Hand leadership to a voter."""
        return await self._change("update", self._group.transfer, request, identity)

    async def _hand_over(self, leaving: Standing) -> None:
        """Raises ApiError NotLeader when another one leads now."""
        voters = [one for one in self._group.members() if one.role is MemberRole.VOTER]
        others = [one for one in voters if one.member.id != self._group.member]
        if leaving.member.id != self._group.member or not others:
            return
        successor = max(others, key=lambda one: one.matched).member
        try:
            await self._group.transfer(successor.id)
        except NotLeaderError:
            raise
        except StoreError:
            return  # it is removed all the same, and the others elect
        raise not_leader(f'control node "{successor.name}" leads now', successor.endpoints)

    async def _change(
        self, verb: str, change: Callable[[int], Awaitable[None]], request: wire.MemberRequest,
        identity: Identity,
    ) -> wire.MemberReply:  # fmt: skip
        allow(identity, verb, MEMBERS, name=request.member)
        found = find(self._group.members(), request.member)
        try:
            await change(found.member.id)
        except (NotLeaderError, UnknownOutcomeError):
            raise
        except StoreError as error:
            raise ApiError(Reason.CONFLICT, str(error), MEMBERS, request.member) from None
        now = {one.member.id: one for one in self._group.members()}
        return wire.MemberReply(member=shown(now.get(found.member.id, found)))


def find(members: Sequence[Standing], word: str) -> Standing:
    """The member of this name or id. Raises ApiError: BadRequest, NotFound."""
    if not word:
        raise ApiError(Reason.BAD_REQUEST, "say which control node: its name or its id")
    for standing in members:
        if word == standing.member.name or word.lower() == id_text(standing.member):
            return standing
    names = ", ".join(standing.member.name for standing in members)
    message = f'there is no control node "{word}" in the cluster: its members are {names}'
    raise ApiError(Reason.NOT_FOUND, message, MEMBERS, word)


def id_text(member: Member) -> str:
    """A member's id as people see it."""
    return f"{member.id:016x}"


def shown(standing: Standing) -> wire.Member:
    """A member on the wire."""
    member = standing.member
    return wire.Member(
        id=id_text(member),
        name=member.name,
        endpoint=member.endpoints[0] if member.endpoints else "",
        leader=standing.leads,
        voter=standing.role is MemberRole.VOTER,
        peer=member.peer,
        endpoints=member.endpoints,
        matched=standing.matched if standing.matched >= 0 else None,
    )


def addresses(members: Sequence[Standing]) -> tuple[str, ...]:
    """The API's listeners of all control nodes, each once. The order does not change with who
    leads: the list is kept in files."""
    ordered = sorted(members, key=lambda standing: standing.member.name)
    found = [address for standing in ordered for address in standing.member.endpoints]
    return tuple(dict.fromkeys(found))
