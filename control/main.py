"""A control node: builds its parts, joins them, runs them, and ends them in order.

The only place in control/ that reads the clock and draws randomness: both are handed on. Order at
the start: store (load, replay) → cache → authority → registry, bootstrap → services → listeners →
controllers and scheduler → the administrator's kubeconfig → ready. Backwards at the end, so that
nothing is told a write happened that did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import secrets
import sys
import time
from collections.abc import Coroutine
from typing import Any

import numpy
import structlog

from holdfast.api import kubeconfig, ready
from holdfast.control import metrics
from holdfast.control.access import Authenticator
from holdfast.control.access.ca import Authority, open_authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.control.access.revocations import Revocations
from holdfast.control.access.tokens import JoinTokens
from holdfast.control.cache import Cache
from holdfast.control.cache.hub import Hub
from holdfast.control.config import ControlConfig
from holdfast.control.controllers import every
from holdfast.control.controllers.runner import Runner
from holdfast.control.eventshare import EventShare
from holdfast.control.loop_lag import LoopLag
from holdfast.control.recorder import Recorder
from holdfast.control.registry import Derived, Ids, Registry, bootstrap
from holdfast.control.rpc import services
from holdfast.control.rpc.cluster import Member
from holdfast.control.rpc.server import Listener, Server, serve
from holdfast.control.scheduler.loop import SchedulerLoop
from holdfast.control.sessions.sessions import Sessions
from holdfast.control.sessions.streams import Streams
from holdfast.control.store import directory
from holdfast.control.store.raft_engine import RaftEngine

SWITCH_INTERVAL_S = 0.0005
"""A database commit beside CPU-bound Python takes 21 ms at the default, 1 ms so."""
GC_THRESHOLDS = (2_000, 10, 100_000)
"""Young objects are looked at often and briefly. All of them, which holds the loop for hundreds of
milliseconds at thousands of pods, only after two billion: what lives long is freed by its count."""

log = structlog.get_logger()


async def run(config: ControlConfig) -> None:
    """Run a control node until cancelled.

    Raises StoreError, ApiError or ListenError (one sentence each) when it cannot start, and
    FatalStoreError when its disk failed.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    async with contextlib.AsyncExitStack() as ending:
        node = ControlNode(config, ending)
        await node.start()
        ready.announce()
        log.info("serving", endpoints=config.endpoints, revision=node.cache.revision)
        await node.until_broken()


class ControlNode:
    """The parts of one control node.

    ending: gets the end of each part as it starts, so that they end backwards and one that fails
    to end well keeps no other from it.
    """

    def __init__(self, config: ControlConfig, ending: contextlib.AsyncExitStack) -> None:
        self.config = config
        self._ending = ending
        self._rng = random.SystemRandom()
        # Seeded by the request's id, so that a repeated request draws the same names.
        self._ids = Ids(random.Random(), Derived)  # noqa: S311
        new = not directory.examine(config.data_dir)
        self.engine = RaftEngine(
            config.data_dir, secrets.randbelow, cluster_id=self._ids.uid() if new else ""
        )
        self.cache = Cache(self.engine)
        self._lag = LoopLag()
        # The first part that ended by itself sets it; `until_broken` waits.
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Load, serve, control."""
        config = self.config
        await self.engine.start()
        self._ending.push_async_callback(self.engine.stop)
        self._begin(self.engine.until_failed())
        self._lag.start()
        self._ending.callback(self._lag.stop)
        registry = Registry(self.engine, self.cache, time.time, self._ids, config.ranges)
        await bootstrap(registry)
        authority = open_authority(config.data_dir, time.time, self._rng)
        sessions = Sessions(self.cache, registry, time.time)
        share = EventShare(lambda: self.engine.revision, time.monotonic)
        recorder = Recorder(share, registry, time.time, self._ids)
        server = await self._serve(authority, registry, sessions, share)
        if config.metrics_port:
            collector = metrics.ControlCollector(
                self._lag, self._figures(sessions, recorder, share)
            )
            self._ending.callback(metrics.serve(config.metrics_port, collector))
        self._begin(sessions.run())
        term = self.engine.status().term
        runner = Runner(self.cache, registry, every(), time.time, recorder)
        rng = numpy.random.default_rng()
        scheduler = SchedulerLoop(self.cache, registry, recorder, time.time, rng)
        for part in (recorder, runner, scheduler):
            self._begin(part.run(term))
        # Last, so that nothing is served by parts that have ended.
        self._ending.push_async_callback(server.stop)
        self._write_kubeconfig(authority)
        # What is loaded stays: full collections need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def until_broken(self) -> None:
        """Wait until a part has ended by itself, then raise its error: a control node without its
        scheduler would look alive and do nothing."""
        await self._broken

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a part for good."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._ending.push_async_callback(_cancel, task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._broken.done():
            return
        error = task.exception() or RuntimeError(f"{task.get_coro()} came to an end")
        self._broken.set_exception(error)

    async def _serve(
        self, authority: Authority, registry: Registry, sessions: Sessions, share: EventShare
    ) -> Server:
        config = self.config
        hub = Hub(self.cache)  # after loading: its ring holds what happens from here on
        self._ending.callback(hub.close)
        revocations = Revocations(self.engine, self.cache)
        authenticator = Authenticator(authority.certificate, revocations, time.time)
        parts = services.Parts(
            engine=self.engine,
            cache=self.cache,
            hub=hub,
            registry=registry,
            event_share=share,
            sessions=sessions,
            streams=Streams(sessions, secrets.token_bytes),
            authority=authority,
            tokens=JoinTokens(self.engine, time.time, self._rng, authority.pem),
            revocations=revocations,
            authenticate=authenticator.authenticate,
            endpoints=config.endpoints,
            member=Member(config.name, config.name, config.endpoints[0]),
        )
        certificate = ServerCertificate(authority, (*config.listen, config.ranges.first_service_ip))
        # Credentials of each listener's own: gRPC asks each for the newest certificate.
        listeners = [Listener(a, certificate.mutual_tls()) for a in config.endpoints]
        listeners += [Listener(a, certificate.server_tls()) for a in config.token_endpoints]
        return await serve(
            listeners, services.handlers(parts, time.time, self._rng), services.NAMES
        )

    def _write_kubeconfig(self, authority: Authority) -> None:
        path = self.config.kubeconfig
        if path is None:
            return
        server = f"https://{self.config.listen[0]}:{kubeconfig.REST_PORT}"
        tree = kubeconfig.ours(authority.admin(self.config.endpoints), server)
        kubeconfig.write(path, tree)

    def _figures(
        self, sessions: Sessions, recorder: Recorder, share: EventShare
    ) -> list[metrics.Figure]:
        figure, status = metrics.Figure, self.engine.status
        return [
            figure("store_revision", "Revision of the store.", lambda: status().revision),
            figure("store_objects", "Objects in the store.", lambda: status().objects),
            figure(
                "store_database_bytes", "Size of the database.", lambda: status().database_bytes
            ),
            figure("sessions", "Open node sessions.", sessions.connected),
            figure("events_waiting", "Events not written yet.", lambda: recorder.waiting),
            figure("events_dropped", "Events dropped.", lambda: recorder.dropped, counter=True),
            figure("events_refused", "Nodes' events refused.", lambda: share.refused, counter=True),
        ]


async def _cancel(task: asyncio.Task[None]) -> None:
    """End a part; how it failed was told already."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
