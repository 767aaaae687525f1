"""How a new control node gets into a cluster: `holdfast control --join TOKEN@HOST`.

It shows the token to a control node that it verifies by the certificate inside the token, and gets
the cluster's id and authority; by then it is a learner of the group. Its own id is drawn and
written down first, so that an attempt that was cut off is repeated as the same member. An empty
data directory means a new id: what a lost disk has promised must not be asked of a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson
import structlog

from holdfast.api.client import Client, Endpoint
from holdfast.api.client.backoff import Backoff
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2 as wire
from holdfast.api.tls import certificates, keys, tokens
from holdfast.api.tls.credentials import write_private
from holdfast.control.access.ca import keep_authority
from holdfast.control.config import ControlConfig

FILE = "joining.json"
METHOD = "/holdfast.api.rpc.v1.Access/JoinControl"
PATIENCE_S = 60.0
"""How long to go on while the cluster cannot let anybody in (nobody leads, another one joins)."""
MEMBER_BITS = 62

log = structlog.get_logger()


class Joined(NamedTuple):
    """What a new member's store is founded with."""

    cluster_id: str
    member: int


async def join(config: ControlConfig, randomness: Callable[[int], int]) -> Joined:
    """Join, and put the cluster's authority into the data directory.

    randomness: n → 0 … n-1, unpredictable. Raises ApiError with what the cluster refuses.
    """
    target = tokens.parse_target(config.join)
    member = _member(config.data_dir, randomness)
    request = wire.JoinControlRequest(
        token_id=target.token.id,
        token_secret=target.token.secret,
        member=member,
        name=config.name,
        peer=config.peer,
        endpoints=config.endpoints,
        service_cidr=str(config.ranges.services),
        pod_cidr=str(config.ranges.pods),
    )
    async with Client.connect(Endpoint((target.address,), target.token.ca_pem)) as client:
        reply = await _ask(client, request, randomness)
    if certificates.from_pem(reply.ca_pem) != certificates.from_pem(target.token.ca_pem):
        raise ApiError(Reason.INTERNAL, "the control node sent the authority of another cluster")
    keys.from_pem(reply.ca_key_pem, "the authority's key")
    keep_authority(config.data_dir, reply.ca_pem, reply.ca_key_pem)
    log.info("joined", cluster=reply.cluster_id, member=f"{member:x}")
    return Joined(reply.cluster_id, member)


def joined(data_dir: Path) -> None:
    """The store is there: the next start is an ordinary one."""
    (data_dir / FILE).unlink(missing_ok=True)


def check_not_half_way(data_dir: Path) -> None:
    """Raises ApiError when the directory is that of a control node whose joining was cut off: to
    found a cluster in it would make a second one with the authority of the first."""
    if (data_dir / FILE).exists():
        message = f"{data_dir}: joining a cluster was cut off here: give --join again, or empty it"
        raise ApiError(Reason.CONFLICT, message)


def _member(data_dir: Path, randomness: Callable[[int], int]) -> int:
    path = data_dir / FILE
    if path.exists():
        return int(orjson.loads(path.read_bytes())["member"])
    member = draw_member(randomness)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, orjson.dumps({"member": member}))
    return member


def draw_member(randomness: Callable[[int], int]) -> int:
    """An id that no control node ever had. randomness: n → 0 … n-1, unpredictable."""
    return randomness((1 << MEMBER_BITS) - 1) + 1


async def _ask(
    client: Client, request: wire.JoinControlRequest, randomness: Callable[[int], int]
) -> wire.JoinControlReply:
    backoff = Backoff(most_s=1.0)
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while True:
        try:
            reply = await client.unary(METHOD, request, wire.JoinControlReply.FromString)
        except ApiError as error:
            temporary = error.reason in (
                Reason.UNAVAILABLE, Reason.NOT_LEADER, Reason.UNKNOWN_OUTCOME
            )  # fmt: skip
            if not temporary or loop.time() >= until:
                raise
            log.warning("cannot join yet", why=error.message)
            await asyncio.sleep(backoff.next_s(randomness(1000) / 1000))
        else:
            assert isinstance(reply, wire.JoinControlReply)
            return reply
