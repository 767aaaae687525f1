"""A control node on an etcd, as far as a history needs one: store, cache, registry, API.

    python -m tests.integration.histories.machines.etcd_control --store TARGET
        --data-dir DIR --name NAME --listen ADDRESS --port PORT --kubeconfig FILE

The same engine, registry and services as the product's; no controllers, nodes or tokens. Control
nodes of one etcd share one authority: all but the first get a copy of its directory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import NamedTuple

import structlog
import uvloop

from holdfast.api import kubeconfig, logs, ready
from holdfast.api.errors import ApiError
from holdfast.control.access import Authenticator
from holdfast.control.access.ca import open_authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.control.access.revocations import Revocations
from holdfast.control.cache import Cache
from holdfast.control.cache.hub import Hub
from holdfast.control.eventshare import EventShare
from holdfast.control.registry import Derived, Ids, Registry, bootstrap
from holdfast.control.rpc.cluster import NAME as CLUSTER
from holdfast.control.rpc.cluster import ClusterService
from holdfast.control.rpc.leading import Leading
from holdfast.control.rpc.resources import NAME as RESOURCES
from holdfast.control.rpc.resources import ResourcesService
from holdfast.control.rpc.server import Listener, serve
from holdfast.control.store.engine import NotLeaderError, StoreError
from holdfast.control.store.etcd import engine as etcd
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.target import parse
from holdfast.control.store.replicated.members import Member, MemberRole, Standing

BOOTSTRAP_AGAIN_S = 0.2
FIXED = "control nodes on an etcd have no group to change"

log = structlog.get_logger()


class View(NamedTuple):
    """How this control node stands. leader: by `number`, 0 = not known."""

    leader: int
    leads: bool


def number(name: str) -> int:
    """A member id from a control node's name."""
    return zlib.crc32(name.encode()) or 1


class Group:
    """Control nodes as an etcd shows them: this one, and the one that leads."""

    def __init__(self, engine: EtcdEngine, me: Member) -> None:
        self._engine = engine
        self._me = me

    @property
    def member(self) -> int:
        """See members.Group."""
        return self._me.id

    def view(self) -> View:
        """How this control node stands, as the store would say to a write."""
        if self._engine.status().leader:
            return View(self._me.id, leads=True)
        other = self._other()
        return View(other.id if other else 0, leads=False)

    def members(self) -> list[Standing]:
        """See members.Group."""
        leads = self._engine.status().leader
        found = [Standing(self._me, MemberRole.VOTER, leads, 1.0)]
        other = None if leads else self._other()
        if other:
            found.append(Standing(other, MemberRole.VOTER, True, 1.0))
        return found

    def _other(self) -> Member | None:
        """The other control node that leads, if etcd says so."""
        leader = self._engine._replica.leader
        if leader is None or leader.name == self._me.name:
            return None
        return Member(number(leader.name), leader.name, "", tuple(leader.endpoints))

    async def add_member(self, member: Member) -> None:
        """See members.Group."""
        raise StoreError(FIXED)

    async def promote_member(self, member: int) -> None:
        """See members.Group."""
        raise StoreError(FIXED)

    async def remove_member(self, member: int) -> None:
        """See members.Group."""
        raise StoreError(FIXED)

    async def transfer(self, member: int) -> None:
        """See members.Group."""
        raise StoreError(FIXED)


async def run(given: argparse.Namespace, ending: contextlib.AsyncExitStack) -> None:
    """Serve until cancelled, or until the engine fails."""
    address = f"{given.listen}:{given.port}"
    ids = Ids(random.Random(), Derived)
    me = Member(number(given.name), given.name, "", (address,))
    engine = EtcdEngine(
        parse(given.store), new_cluster_id=Ids(random.SystemRandom(), Derived).uid(),
        name=given.name, endpoints=me.endpoints,
    )  # fmt: skip
    group = Group(engine, me)
    cache = Cache(engine)
    authority = open_authority(given.data_dir, time.time, random.SystemRandom())
    authenticator = Authenticator(authority.certificate, Revocations(engine, cache), time.time)
    engine.watch(_tell)
    await engine.start()
    ending.push_async_callback(engine.stop)
    hub = Hub(cache)
    ending.callback(hub.close)
    registry = Registry(engine, cache, time.time, ids)
    leading = Leading(group.view, me.id, group.members)
    engine.watch(lambda _: leading.turned())
    who = authenticator.authenticate
    share = EventShare(lambda: engine.revision, time.monotonic)
    objects = ResourcesService(engine, cache, hub, registry, who, share, leading.require)
    cluster = ClusterService(engine, cache, who, group, leading.require)
    certificate = ServerCertificate(authority, (given.listen,))
    server = await serve(
        [Listener(address, certificate.mutual_tls())],
        [objects.handler(), cluster.handler()],
        [RESOURCES, CLUSTER],
    )
    ending.push_async_callback(server.stop)
    await _make_first_objects(registry, group)
    rest = f"https://{given.listen}:{kubeconfig.REST_PORT}"
    kubeconfig.write(given.kubeconfig, kubeconfig.ours(authority.admin((address,)), rest))
    ready.announce()
    await engine.until_failed()


def _tell(standing: etcd.Standing) -> None:
    """Into the log, in the words of a control node on raft."""
    log.info("leads" if standing.leads else "leads no more", term=standing.term)


async def _make_first_objects(registry: Registry, group: Group) -> None:
    """Whoever leads makes them, before it says that it serves."""
    while group.view().leads:
        try:
            await bootstrap(registry)
        except (ApiError, NotLeaderError, StoreError) as error:
            log.info("not bootstrapped", why=str(error))
            await asyncio.sleep(BOOTSTRAP_AGAIN_S)
        else:
            return


async def _until_signalled(given: argparse.Namespace) -> None:
    async with contextlib.AsyncExitStack() as ending:
        running = asyncio.ensure_future(run(given, ending))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser()
    for flag in ("store", "name", "listen", "port"):
        parser.add_argument(f"--{flag}", required=True)
    for flag in ("data-dir", "kubeconfig"):
        parser.add_argument(f"--{flag}", required=True, type=Path)
    logs.configure("control", "info")
    sys.setswitchinterval(0.0005)
    try:
        uvloop.run(_until_signalled(parser.parse_args()))
    except (ApiError, StoreError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
