"""A control node: builds its parts, joins them, runs them, and ends them in order.

The only place in control/ that reads the clock and draws randomness: both are handed on. Order at
the start: membership of a cluster (when it joins one) → authority → store (load, replay) → cache →
listener for the other control nodes → the leader's work, if this one leads → services, listeners →
the administrator's kubeconfig → ready. Backwards at the end, so that nothing is told a write
happened that did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import secrets
import sys
import time
from collections.abc import Coroutine
from typing import Any

import numpy
import structlog

from holdfast.api import kubeconfig, ready
from holdfast.api.cycles import Cycles
from holdfast.control import metrics
from holdfast.control.access import Authenticator
from holdfast.control.access.ca import open_authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.control.access.revocations import Revocations
from holdfast.control.access.tokens import JoinTokens
from holdfast.control.cache import Cache
from holdfast.control.cache.hub import Hub
from holdfast.control.config import ControlConfig
from holdfast.control.eventshare import EventShare
from holdfast.control.group import etcd, joining, own
from holdfast.control.group.joining import Joined
from holdfast.control.group.leader import Leader
from holdfast.control.group.marker import Marker
from holdfast.control.group.roster import Roster
from holdfast.control.group.terms import Terms
from holdfast.control.loop_lag import LoopLag
from holdfast.control.recorder import Recorder
from holdfast.control.registry import Derived, Ids, Registry
from holdfast.control.rpc import services
from holdfast.control.rpc.leading import Leading
from holdfast.control.rpc.level import Level
from holdfast.control.rpc.server import Listener, Server, serve
from holdfast.control.sessions.sessions import Sessions
from holdfast.control.sessions.streams import Streams

SWITCH_INTERVAL_S = 0.0005
"""A database commit beside CPU-bound Python takes 21 ms at the default, 1 ms so."""

log = structlog.get_logger()


async def run(config: ControlConfig) -> None:
    """Run a control node until cancelled.

    Raises StoreError, ApiError or ListenError (one sentence each) when it cannot start, and
    FatalStoreError when its disk failed, or its etcd is another one's too.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    arrive = etcd.arrive if config.store else own.arrive
    arrived = await arrive(config, secrets.randbelow)
    async with contextlib.AsyncExitStack() as ending:
        node = ControlNode(config, ending, arrived)
        await node.start()
        joining.joined(config.data_dir)
        ready.announce()
        log.info("serving", endpoints=config.endpoints, revision=node.cache.revision)
        await node.until_broken()


class ControlNode:
    """The parts of one control node.

    ending: gets the end of each part as it starts, so that they end backwards and one that fails
    to end well keeps no other from it. arrived: which control node it is of which cluster (a
    Marker: its state is on an etcd); None = its store is there already, or it founds a cluster.
    """

    def __init__(
        self,
        config: ControlConfig,
        ending: contextlib.AsyncExitStack,
        arrived: Joined | Marker | None = None,
    ) -> None:
        self.config = config
        self._ending = ending
        self._rng = random.SystemRandom()
        # Seeded by the request's id, so that a repeated request draws the same names.
        self._ids = Ids(random.Random(), Derived)  # noqa: S311
        self._authority = open_authority(config.data_dir, time.time, self._rng)
        self._store = (
            etcd.EtcdStore(config, arrived, self._authority, self._ids.uid())
            if isinstance(arrived, Marker)
            else own.OwnStore(
                config, arrived, self._authority, self._ids.uid(), secrets.randbelow,
                self._authenticate_peer,
            )
        )  # fmt: skip
        self.engine, self._group = self._store.engine, self._store.group
        self.cache = Cache(self.engine)
        self._revocations = Revocations(self.engine, self.cache)
        self._authenticator = Authenticator(
            self._authority.certificate, self._revocations, time.time
        )
        self._lag = LoopLag()
        # The first part that ended by itself sets it; `until_broken` waits.
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Load, lead if it is this one's turn, serve."""
        config, engine, group = self.config, self.engine, self._group
        cycles = Cycles()
        await self._store.start()
        self._ending.push_async_callback(self._store.stop)
        self._begin(engine.until_failed())
        self._lag.start()
        self._ending.callback(self._lag.stop)
        certificate = ServerCertificate(
            self._authority, (*config.listen, config.ranges.first_service_ip)
        )
        if (end := await self._store.listen(certificate)) is not None:
            self._ending.push_async_callback(end)
        registry = Registry(engine, self.cache, time.time, self._ids, config.ranges)
        leading = Leading(lambda: group.view, group.member, group.members)
        group.watch(leading.turned)
        sessions = Sessions(self.cache, registry, time.time, leading.elsewhere)
        share = EventShare(lambda: self.cache.changes, time.monotonic)
        roster = Roster(group, self._store.rows(self.cache), self._store.mine)
        roster.tell(sessions.tell)
        leader = Leader(
            self.cache, registry, sessions, roster, time.time,
            lambda: Recorder(share, registry, time.time, self._ids), numpy.random.default_rng,
        )  # fmt: skip
        await self._take_turns(leader, leading)
        hub = Hub(self.cache)  # after loading: its ring holds what happens from here on
        self._ending.callback(hub.close)
        level = Level(engine, self._authenticator.authenticate)
        self._begin(level.run())
        roster.tell(lambda _: _leave(hub, level) if roster.removed else None)
        parts = self._parts(registry, sessions, share, hub)
        parts = dataclasses.replace(parts, authenticate=level.authenticate, require=leading.require)
        server = await self._serve(certificate, parts)
        if config.metrics_port:
            collector = metrics.ControlCollector(self._lag, self._figures(sessions, leader, share))
            self._ending.callback(metrics.serve(config.metrics_port, collector))
        # Last, so that nothing is served by parts that have ended.
        self._ending.push_async_callback(server.stop)
        self._ending.push_async_callback(self._store.hand_over)
        if config.kubeconfig is not None:
            roster.tell(self._write_kubeconfig)
        cycles.loaded()
        self._begin(cycles.run())

    async def until_broken(self) -> None:
        """Wait until a part has ended by itself, then raise its error: a control node without its
        scheduler would look alive and do nothing."""
        await self._broken

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a part for good."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._ending.push_async_callback(_cancel, task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._broken.done():
            return
        error = task.exception() or RuntimeError(f"{task.get_coro()} came to an end")
        self._broken.set_exception(error)

    async def _authenticate_peer(self, context: Any) -> Any:
        return await self._authenticator.authenticate(context)

    async def _take_turns(self, leader: Leader, leading: Leading) -> None:
        """Lead whenever it is this member's turn; one that decides by itself has begun to when
        this returns."""
        terms = Terms(leader.lead)
        self._group.watch(terms.turned)
        terms.turned(self._group.view)
        self._begin(terms.run()).add_done_callback(lambda _: leader.begun.set())
        if leading.alone:
            await leader.begun.wait()
            if self._broken.done():
                await self._broken

    def _parts(
        self, registry: Registry, sessions: Sessions, share: EventShare, hub: Hub
    ) -> services.Parts:
        authority = self._authority
        return services.Parts(
            engine=self.engine,
            cache=self.cache,
            hub=hub,
            registry=registry,
            event_share=share,
            sessions=sessions,
            streams=Streams(sessions, secrets.token_bytes),
            authority=authority,
            tokens=JoinTokens(self.engine, time.time, self._rng, authority.pem),
            revocations=self._revocations,
            authenticate=self._authenticator.authenticate,
            group=self._group,
            peers=self._store.replicates,
        )

    async def _serve(self, certificate: ServerCertificate, parts: services.Parts) -> Server:
        config = self.config
        # Credentials of each listener's own: gRPC asks each for the newest certificate.
        listeners = [Listener(a, certificate.mutual_tls()) for a in config.endpoints]
        listeners += [Listener(a, certificate.server_tls()) for a in config.token_endpoints]
        return await serve(
            listeners, services.handlers(parts, time.time, self._rng), services.NAMES
        )

    def _write_kubeconfig(self, endpoints: tuple[str, ...]) -> None:
        """This one's own addresses first, as long as it is a member."""
        path = self.config.kubeconfig
        assert path is not None
        own = [address for address in self.config.endpoints if address in endpoints]
        ordered = tuple(dict.fromkeys((*own, *endpoints)))
        server = f"https://{self.config.listen[0]}:{kubeconfig.REST_PORT}"
        kubeconfig.write(path, kubeconfig.ours(self._authority.admin(ordered), server))

    def _figures(
        self, sessions: Sessions, leader: Leader, share: EventShare
    ) -> list[metrics.Figure]:
        figure, status = metrics.Figure, self.engine.status
        return [
            figure("store_revision", "Revision of the store.", lambda: status().revision),
            figure("store_objects", "Objects in the store.", lambda: status().objects),
            figure(
                "store_database_bytes", "Size of the database.", lambda: status().database_bytes
            ),
            figure("leads", "Whether this control node leads.", lambda: int(status().leader)),
            figure("sessions", "Open node sessions.", sessions.connected),
            figure("events_waiting", "Events not written yet.", lambda: leader.notes_waiting),
            figure("events_dropped", "Events dropped.", lambda: leader.notes_dropped, counter=True),
            figure("events_refused", "Nodes' events refused.", lambda: share.refused, counter=True),
        ]


def _leave(hub: Hub, level: Level) -> None:
    """This control node was removed: whom it serves must look for another one."""
    log.warning("removed from the cluster")
    level.remove()
    hub.close()


async def _cancel(task: asyncio.Task[None]) -> None:
    """End a part; how it failed was told already."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
