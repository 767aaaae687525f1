"""Calls about the group of control nodes, with refusals as ApiError."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api.rpc.v1 import cluster_pb2

if TYPE_CHECKING:
    from holdfast.api.client import Client

_SERVICE = "/holdfast.api.rpc.v1.Cluster/"


async def remove(client: Client, member: str) -> cluster_pb2.Member:
    """Take a control node out for good. member: its name or id, as below."""
    return await _change(client, "RemoveMember", member)


async def promote(client: Client, member: str) -> cluster_pb2.Member:
    """Let a learner vote."""
    return await _change(client, "PromoteMember", member)


async def transfer(client: Client, member: str) -> cluster_pb2.Member:
    """Hand leadership to a voter."""
    return await _change(client, "TransferLeadership", member)


async def listed(client: Client) -> list[cluster_pb2.Member]:
    """All of them, by name; as the leader sees them when there is one."""
    await client.find_leader()
    members = list((await client.status()).members)
    return sorted(members, key=lambda member: member.name)


async def _change(client: Client, method: str, member: str) -> cluster_pb2.Member:
    request = cluster_pb2.MemberRequest(member=member)
    reply = await client.unary(_SERVICE + method, request, cluster_pb2.MemberReply.FromString)
    assert isinstance(reply, cluster_pb2.MemberReply)
    return reply.member


def role(member: cluster_pb2.Member) -> str:
    """What a member is, in one word."""
    if member.leader:
        return "leader"
    return "voter" if member.voter else "learner"


def matched(member: cluster_pb2.Member) -> str:
    """How much of the log a member has, as far as the leader told."""
    return f"{member.matched * 100:.0f} %" if member.HasField("matched") else "-"
