"""The agent: carries out what the picture asks for, one step at a time.

A change wakes the worker. The first one is carried out at once; those that come while a step runs,
or within `GAP_S` after it began, share the next step. A failed step is tried again after a growing
wait, looking at the kernel first. Every `CHECK_S` everything is looked at anyway, so what others
flushed or changed comes back. Stopping leaves rules, routes and address as they are: connections
go on without us.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from holdfast.api.client.backoff import Backoff
from holdfast.netproxy import conntrack, snapshot
from holdfast.netproxy.config import NetproxyConfig
from holdfast.netproxy.dns.resolvers import upstreams
from holdfast.netproxy.dns.server import Server
from holdfast.netproxy.dns.upstream import Upstream
from holdfast.netproxy.dns.zone import Zone
from holdfast.netproxy.filters import FilterError, PacketFilter
from holdfast.netproxy.following import Following
from holdfast.netproxy.forwarding import Forwarding, ServicePort, Site
from holdfast.netproxy.picture import Picture
from holdfast.netproxy.routes import kernel, sysctls
from holdfast.netproxy.routes.wanted import Route, internal_ip, pod_cidrs, sent_from, wanted

GAP_S = 0.02
CHECK_S = 30.0
RETRY_MIN_S = 0.1
RETRY_MAX_S = 5.0
SNAPSHOT_GAP_S = 5.0
"""At most one snapshot in this time."""

SLOW_STEP_S = 1.0
"""A step that took longer is worth a warning."""

log = structlog.get_logger()


class Agent:
    """One machine's proxy. `run` it; `ready` is set when rules stand and DNS was started."""

    def __init__(self, config: NetproxyConfig, packet_filter: PacketFilter) -> None:
        zone = Zone(config.zone, (config.cluster_cidr, config.service_cidr), config.dns_address)
        self.ready = asyncio.Event()
        self.picture = Picture(zone)
        self._config = config
        self._filter = packet_filter
        self._upstream = Upstream()
        self._server = Server(zone, self._upstream)
        self._snapshot = config.directory / "netproxy.snapshot"
        self._following = Following(self.picture, config.credentials, self._wake)
        # Set by every change and check; the worker waits for it and clears it.
        self._changed = asyncio.Event()
        # Set by every change; the snapshot's writer waits for it and clears it.
        self._unsaved = asyncio.Event()
        self._dns_tried = asyncio.Event()
        self._ports: tuple[ServicePort, ...] = ()
        self._routes: frozenset[Route] | None = None  # None: look at the kernel again
        self._problems: dict[str, frozenset[str]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        self._remember()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._following.run())
                group.create_task(self._work())
                group.create_task(self._check())
                group.create_task(self._keep_snapshot())
                if self._config.dns_address:
                    group.create_task(self._serve_dns())
        finally:
            await self._server.stop()
            await self._upstream.close()

    def _wake(self) -> None:
        self._changed.set()
        self._unsaved.set()

    def _remember(self) -> None:
        """Take up the last state known, so that nothing waits for the control plane."""
        objects = snapshot.load(self._snapshot)
        if objects is None:
            return
        for resource, message in objects:
            self.picture.put(resource, message)
        log.info("serving the last state known", objects=len(objects))
        self._following.complete.set()

    # --- rules and routes -------------------------------------------------------------------------

    async def _work(self) -> None:
        # Half a picture would take targets away from services that have them.
        await self._following.complete.wait()
        loop = asyncio.get_running_loop()
        backoff = Backoff(RETRY_MIN_S, RETRY_MAX_S)
        started_at = -GAP_S
        self._changed.set()
        while True:
            await self._changed.wait()
            await asyncio.sleep(max(0.0, started_at + GAP_S - loop.time()))
            self._changed.clear()
            started_at = loop.time()
            try:
                await self._step()
            except (FilterError, OSError) as error:
                log.error("rules are not up to date", why=str(error))
                self._filter.forget()
                self._changed.set()
                await asyncio.sleep(backoff.next_s(1.0))
                continue
            backoff.reset()
            if not self.ready.is_set() and await self._dns_was_tried():
                self.ready.set()

    async def _dns_was_tried(self) -> bool:
        return not self._config.dns_address or await self._dns_tried.wait()

    async def _step(self) -> None:
        """Make rules and routes equal to what the picture asks for."""
        begun = time.perf_counter()
        ports = self.picture.ports
        applied = await self._filter.apply(Forwarding(self._site(), ports))
        took = time.perf_counter() - begun
        if applied.written or applied.deleted:
            (log.warning if took > SLOW_STEP_S else log.info)(
                "rules applied",
                written=applied.written,
                deleted=applied.deleted,
                ports=len(ports),
                took_ms=round(took * 1000, 1),
            )
        flows = conntrack.stale(self._ports, ports)
        self._ports = ports
        if flows:
            await conntrack.forget(flows, self._config.service_cidr)
        await self._set_routes()

    async def _set_routes(self) -> None:
        node_ip = self._node_ip()
        routes = wanted(self.picture.nodes, self._config.name, node_ip, self._config.service_cidr)
        routes = sent_from(routes, node_ip, self._config.dns_address)
        if routes == self._routes:
            return
        if self._config.dns_address:
            await kernel.add_address(self._config.dns_address)  # a route may be sent from it
        problems = await kernel.apply(routes)
        self._routes = routes
        self._report("routes", problems)

    def _report(self, part: str, problems: list[str]) -> None:
        """Log what cannot be done, when it is news."""
        for problem in sorted(set(problems) - self._problems.get(part, frozenset())):
            log.warning("network is not whole", problem=problem)
        self._problems[part] = frozenset(problems)

    def _node_ip(self) -> str:
        node = self.picture.node(self._config.name)
        return self._config.node_ip or (internal_ip(node) if node else "")

    def _site(self) -> Site:
        config = self._config
        node = self.picture.node(config.name)
        cidrs = pod_cidrs(node) if node else []
        # A machine that is no node of the cluster carries the traffic of those that are.
        others = () if config.name else sorted(filter(None, map(internal_ip, self.picture.nodes)))
        return Site(
            config.cluster_cidr,
            config.service_cidr,
            cidrs[0] if cidrs else "",
            config.dns_address,
            tuple(dict.fromkeys(others)),
        )

    # --- the rest ---------------------------------------------------------------------------------

    async def _check(self) -> None:
        """The slow look at everything that others may have changed."""
        while True:
            self._report("switches", await sysctls.prepare())
            ours = (self._config.dns_address,)
            servers = self._config.upstreams or await asyncio.to_thread(upstreams, ours)
            await self._upstream.set_servers(servers)
            await asyncio.sleep(CHECK_S)
            self._filter.forget()
            self._routes = None
            self._changed.set()

    async def _serve_dns(self) -> None:
        """Listen, trying again while the address or port is not to be had."""
        address, port = self._config.dns_address, self._config.dns_port
        backoff = Backoff(RETRY_MIN_S, RETRY_MAX_S)
        while True:
            try:
                await kernel.add_address(address)
                await self._server.start(address, port)
            except OSError as error:
                log.error("dns cannot listen", address=address, port=port, why=str(error))
            else:
                log.info("dns serves", address=address, port=port)
                return
            finally:
                self._dns_tried.set()
            await asyncio.sleep(backoff.next_s(1.0))

    async def _keep_snapshot(self) -> None:
        """Write what we know some time after it changed."""
        while True:
            await self._unsaved.wait()
            await asyncio.sleep(SNAPSHOT_GAP_S)
            self._unsaved.clear()
            if not self._following.complete.is_set():
                continue
            try:
                await asyncio.to_thread(snapshot.save, self._snapshot, [*self.picture.objects()])
            except OSError as error:
                log.warning("snapshot was not written", why=str(error))
