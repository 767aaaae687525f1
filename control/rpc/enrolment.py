"""Letting another control node into the group, as a learner, by a join token made for that.

What the new one gets is what every control node shares: the authority with its key, so it is the
most guarded answer of all. Asked again with the same member id (the answer was lost), it answers
again and adds nobody. The one who joins draws its id: it must know it before anything can fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog

from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2 as wire
from holdfast.api.tls import keys
from holdfast.control.access.ca import Authority
from holdfast.control.access.tokens import JoinTokens
from holdfast.control.registry.addresses.ranges import Ranges
from holdfast.control.rpc.members import Group, addresses
from holdfast.control.store.replicated.members import Member

MEMBERS_MAX = 9
"""Control nodes of one cluster, learners counted: more make writes slower, not safer."""
ENDPOINTS_MAX = 8
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:@/\[\]]+):\d{1,5}")

log = structlog.get_logger()


class Enrolment:
    """The leader's side of `holdfast control --join`. cluster_id: of the group's store."""

    def __init__(
        self, group: Group, authority: Authority, tokens: JoinTokens, ranges: Ranges,
        cluster_id: Callable[[], str], *, peers: bool = True,
    ) -> None:  # fmt: skip
        """peers: whether control nodes call each other; on an etcd they do not."""
        self._peers = peers
        self._group = group
        self._authority = authority
        self._tokens = tokens
        self._ranges = ranges
        self._cluster_id = cluster_id

    async def join(self, request: wire.JoinControlRequest) -> wire.JoinControlReply:
        """Add the caller, whose token was checked. Raises ApiError, StoreError."""
        member = self._member(request)
        self._check_ranges(request)
        if not self._is_in(member):
            await self._group.add_member(member)
            try:
                await self._tokens.redeem(request.token_id, request.token_secret, control=True)
            except ApiError:
                await self._group.remove_member(member.id)
                raise
            log.warning("control_node_joins", name=member.name, member=f"{member.id:x}")
        authority = self._authority
        return wire.JoinControlReply(
            cluster_id=self._cluster_id(),
            ca_pem=authority.pem,
            ca_key_pem=keys.to_pem(authority.key),
            endpoints=addresses(self._group.members()),
        )

    def _member(self, request: wire.JoinControlRequest) -> Member:
        if not 0 < request.member < 1 << 63:
            raise ApiError(Reason.BAD_REQUEST, "member is not an id of a control node")
        if not NAME.fullmatch(request.name):
            message = f'--name "{request.name[:64]}" is not a name: write lower-case words'
            raise ApiError(Reason.BAD_REQUEST, message)
        if not 0 < len(request.endpoints) <= ENDPOINTS_MAX:
            raise ApiError(Reason.BAD_REQUEST, f"endpoints must be 1 to {ENDPOINTS_MAX}")
        if self._peers and not request.peer:
            raise ApiError(
                Reason.CONFLICT,
                "this cluster keeps its state in its control nodes, not on an etcd: start the new "
                "one without --store",
            )
        for address in (*([request.peer] if request.peer else []), *request.endpoints):
            if not ADDRESS.fullmatch(address):
                raise ApiError(Reason.BAD_REQUEST, f'"{address[:253]}" is not HOST:PORT')
        return Member(request.member, request.name, request.peer, tuple(request.endpoints))

    def _check_ranges(self, request: wire.JoinControlRequest) -> None:
        for flag, theirs, ours in (
            ("--service-cidr", request.service_cidr, str(self._ranges.services)),
            ("--pod-cidr", request.pod_cidr, str(self._ranges.pods)),
        ):
            if theirs != ours:
                message = (
                    f"this cluster has {flag} {ours}, not {theirs}: give every control node it"
                )
                raise ApiError(Reason.CONFLICT, message)

    def _is_in(self, member: Member) -> bool:
        """Whether it is in the group already. Raises ApiError Conflict when somebody else is."""
        others = [standing.member for standing in self._group.members()]
        for other in others:
            if other == member:
                return True
            same_place = bool(member.peer) and other.peer == member.peer
            if other.id == member.id or other.name == member.name or same_place:
                where = other.peer or ", ".join(other.endpoints)
                message = (
                    f'control node "{other.name}" at {where} is a member: choose another '
                    "--name and address, or take it out first with `holdfast member remove`"
                )
                raise ApiError(Reason.CONFLICT, message)
        if len(others) >= MEMBERS_MAX:
            message = f"there are {len(others)} control nodes: remove one first"
            raise ApiError(Reason.CONFLICT, message)
        return False
