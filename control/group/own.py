"""A control node that keeps the cluster's state itself, replicated among all of them with Raft.

`arrive` runs before the parts are built: it makes this one a member where the flags say so.
`OwnStore` holds the engine, the listener for the other control nodes and what they need to call
each other; `listen` follows `start`, so that nobody is answered by a store that is not open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from holdfast.control.access.ca import Authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.control.cache import Cache
from holdfast.control.config import NAME, ControlConfig
from holdfast.control.group import joining, marker, peers
from holdfast.control.group.joining import Joined
from holdfast.control.raft.wire.transport import GrpcTransport
from holdfast.control.rpc.server import ListenError
from holdfast.control.store import directory
from holdfast.control.store.engine import StoreError
from holdfast.control.store.raft_engine import Options, RaftEngine
from holdfast.control.store.replicated.members import Member, MemberRole

HAND_OVER_S = 1.0

log = structlog.get_logger()


async def arrive(config: ControlConfig, randomness: Callable[[int], int]) -> Joined | None:
    """Become a member of the cluster that the flags say; None when this one is a member already,
    or founds a cluster. Raises ApiError, StoreError."""
    marker.check_own_store(config.data_dir)
    if directory.examine(config.data_dir):
        return None
    if config.join:
        return await joining.join(config, randomness)
    joining.check_not_half_way(config.data_dir)
    return None


class OwnStore:
    """The store of one control node, and its place in the group, which the engine knows."""

    replicates = True

    def __init__(
        self, config: ControlConfig, joined: Joined | None, authority: Authority,
        new_cluster_id: str, randomness: Callable[[int], int], authenticate: peers.Authenticate,
    ) -> None:  # fmt: skip
        """joined: the cluster that it has just become a member of. new_cluster_id: for one that is
        founded. authenticate: who calls."""
        self._config = config
        self._transport = GrpcTransport(
            config.peer,
            peers.Credentials(authority, lambda: self.engine.member).current,
            peers.identify(authenticate),
        )
        cluster_id = "" if directory.examine(config.data_dir) else new_cluster_id
        self.engine = self.group = RaftEngine(
            config.data_dir,
            randomness,
            cluster_id=joined.cluster_id if joined else cluster_id,
            options=Options(joined.member, ()) if joined else Options(),
            transport=self._transport,
        )

    async def start(self) -> None:
        """Open the store. Raises StoreError."""
        await self.engine.start()

    async def stop(self) -> None:
        """Close the store."""
        await self.engine.stop()

    def rows(self, cache: Cache) -> Cache:
        """What tells that the list of members changed."""
        return cache

    @property
    def mine(self) -> Member:
        """This control node as the others are to know it."""
        config, member = self._config, self.engine.member
        known = {one.member.id: one.member for one in self.engine.members()}.get(member)
        was = known.name if known and known.peer else ""
        return Member(member, config.name or was or NAME, config.peer, config.endpoints)

    async def listen(self, certificate: ServerCertificate) -> Callable[[], Any]:
        """Serve the other control nodes; what ends that. Raises ListenError."""
        address = self._config.peer
        try:
            server = await peers.listen(
                address, certificate.mutual_tls(), self._transport.handler()
            )
        except OSError as error:
            raise ListenError(f"cannot listen on {address}: {error.strerror}") from None
        return server.stop

    async def hand_over(self) -> None:
        """A leader that ends in order names its successor: nobody waits for an election."""
        others = [
            one
            for one in self.engine.members()
            if one.role is MemberRole.VOTER and one.member.id != self.engine.member
        ]
        if not others or not self.engine.view.leads:
            return
        successor = max(others, key=lambda one: one.matched)
        try:
            async with asyncio.timeout(HAND_OVER_S):
                await self.engine.transfer(successor.member.id)
        except TimeoutError:
            log.info("leadership not handed over", why=f"not within {HAND_OVER_S:g} s")
        except StoreError as error:
            log.info("leadership not handed over", why=str(error))
