"""One node's uplink: joins its session, its watch, its Node object and its writer.

The watch is the node's only source of pods; whatever it tells goes straight into `Pods`. At each
Welcome everything is said again (node status, pod statuses): the cluster may have judged this
node silent meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from holdfast.api.client import Client, Event, EventType, Reflector, Write, WriteVerb
from holdfast.api.client.backoff import Backoff
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import sessions_pb2
from holdfast.node.pods import Pods
from holdfast.node.timers import Timers
from holdfast.node.uplink import node_object
from holdfast.node.uplink.session import Identity, Session
from holdfast.node.uplink.writer import Writer

STATUS_EVERY_S = 300.0
WELCOME_S = 1.0

log = structlog.get_logger()


class Moments:
    """registered: set by the uplink once the cluster knows the node. stock_taken: set by the agent
    once it knows what runs here; no pod is told before."""

    def __init__(self) -> None:
        self.registered = asyncio.Event()
        self.stock_taken = asyncio.Event()


class Uplink:
    """Everything between one node and the control nodes. `run` it as a task."""

    def __init__(
        self,
        client: Client,
        facts: node_object.NodeFacts,
        timers: Timers,
        writer: Writer,
        pods: Pods,
        ticket: Callable[[sessions_pb2.Ticket], None],
        moments: Moments,
    ) -> None:
        self.facts = facts
        self.health = node_object.Health().observe("", "", timers.now())
        self.writer = writer
        self._client = client
        self._timers = timers
        self._pods = pods
        self._moments = moments
        self._say_status = asyncio.Event()
        identity = Identity(facts.name, facts.boot_id, facts.agent_version)
        self.session = writer.way = Session(client, identity, self._opened, ticket)
        self.watch = Reflector(
            client,
            "pods",
            fields=f"spec.nodeName={facts.name}",
            on_batch=self._on_pods,
            latest_only=True,
        )

    async def run(self) -> None:
        """Register, then hold session and watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.session.run())
            await self._register()
            self._moments.registered.set()
            group.create_task(self._watch())
            group.create_task(self._report())

    def observe(self, trouble: str, disk_trouble: str = "") -> None:
        """How the node is; a change is written at once. trouble: why it is not ready."""
        before = self.health
        self.health = before.observe(trouble, disk_trouble, self._timers.now())
        if self.health != before:
            self._say_status.set()

    async def _watch(self) -> None:
        await self._moments.stock_taken.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watch.run())
            await self.watch.synced.wait()
            told = {pod.metadata.uid for pod in self.watch.objects.values()}
            for uid in set(self._pods.machines) - told:
                self._pods.remove(uid)

    def _opened(self) -> None:
        self._say_status.set()
        self.writer.resend(list(self._pods.machines.values()))

    def _on_pods(self, batch: list[Event]) -> None:
        for event in batch:
            if event.type is EventType.DELETED:
                uid = event.object.metadata.uid
                self.writer.forget(uid)
                self._pods.remove(uid)
            else:
                self._pods.upsert(event.object)

    async def _register(self) -> None:
        """Have the Node object there, however long it takes. Usually the session is welcomed first,
        which asks for the status as well: one write answers both."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WELCOME_S):
                await self._say_status.wait()
        self._say_status.clear()
        backoff = Backoff()
        while True:
            try:
                await self._write_node(create=True)
            except ApiError as error:
                log.warning("cannot register", node=self.facts.name, why=error.message)
                await asyncio.sleep(backoff.next_s(random.random()))  # noqa: S311
            else:
                return

    async def _report(self) -> None:
        """Write the node's status when it changed, and now and then."""
        backoff = Backoff()
        while True:
            try:
                async with asyncio.timeout(STATUS_EVERY_S):
                    await self._say_status.wait()
            except TimeoutError:
                pass
            self._say_status.clear()
            try:
                await self._write_node(create=False)
            except ApiError as error:
                log.warning("node status not written", node=self.facts.name, why=error.message)
                self._say_status.set()
                await asyncio.sleep(backoff.next_s(random.random()))  # noqa: S311
            else:
                backoff.reset()

    async def _write_node(self, *, create: bool) -> None:
        """Create the object if need be, and write its status, in one call."""
        node = node_object.new(self.facts)
        writes = [Write(WriteVerb.CREATE, "nodes", message=node)] if create else []
        said = core.Node(status=node_object.status(self.facts, self.health, self._timers.now()))
        said.metadata.name = self.facts.name
        writes.append(Write(WriteVerb.UPDATE, "nodes", message=said, subresource="status"))
        *created, written = await self._client.batch(writes)
        for outcome in created:
            if outcome.error is not None and outcome.error.reason is not Reason.ALREADY_EXISTS:
                raise outcome.error
        if written.error is None:
            return
        if written.error.reason is Reason.NOT_FOUND and not create:
            await self._write_node(create=True)
        else:
            raise written.error
