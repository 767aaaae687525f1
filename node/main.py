"""Builds a node agent, or a fleet of hollow nodes, from one configuration and runs it.

Joining happens once: with credentials on disk the token is not looked at any more. The
certificate is renewed when two thirds of its life are over; the agent then goes on over new
connections, and no pod notices.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import structlog

from holdfast.api import ready
from holdfast.api.client import Client, Endpoint
from holdfast.api.client.backoff import Backoff
from holdfast.api.client.endpoint import token_listener
from holdfast.api.cycles import Cycles
from holdfast.api.errors import ApiError, Reason
from holdfast.api.tls import certificates, credentials, joining, tokens
from holdfast.api.tls.assertion import Asserter
from holdfast.node.agent import host
from holdfast.node.agent.agent import Network, NodeAgent
from holdfast.node.agent.cgroups import Cgroups
from holdfast.node.agent.objects import ObjectSource
from holdfast.node.agent.tools import Tools
from holdfast.node.hollow import HollowFleet
from holdfast.node.specs.building import Place
from holdfast.node.timers import Clock, Timers
from holdfast.node.uplink.node_object import Taint
from holdfast.runtime.cri import CriRuntime
from holdfast.runtime.hollow import Timings
from holdfast.runtime.images import install
from holdfast.runtime.interface import RuntimeFault, Version

NODES_A_CONNECTION = 256
HOLLOW_CAPACITY = {"cpu": "32", "memory": "128Gi", "ephemeral-storage": "100Gi", "pods": "250"}
RUNTIME_WAIT_S = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What one process of node agents is told.

    directory: pods' files and logs. credentials: the directory shared with netproxy; of hollow
    nodes, a folder a node. join: TOKEN@HOST[:PORT], "" when the credentials are there. hollow: how
    many hollow nodes, named name-0…; 0 = one real node. address: "" = found out. cni: containerd's
    CNI configuration directory; None = somebody else configures the pods' network.
    """

    name: str
    directory: Path
    credentials: Path
    join: str = ""
    hollow: int = 0
    hollow_timings: Timings = field(default_factory=Timings)
    seed: int | None = None
    socket: Path = Path("/run/containerd/containerd.sock")
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    capacity: Mapping[str, str] = field(default_factory=dict)
    max_pods: int = 110
    cluster_dns: tuple[str, ...] = ("10.96.0.10",)
    cluster_domain: str = "cluster.local"
    cni: Path | None = None
    bridge: str = "holdfast-pods"
    cgroup_root: str = ""


def version() -> str:
    """The agent's version, as Node.status shows it."""
    try:
        return "v" + metadata.version("holdfast")
    except metadata.PackageNotFoundError:
        return "v0.0.0"


async def run(config: NodeConfig) -> None:
    """Run until cancelled; containers run on.

    Raises ApiError when it may not join, or its credentials are damaged.
    """
    if config.hollow:
        await _run_hollow(config)
    else:
        await _run_real(config)


async def _run_real(config: NodeConfig) -> None:
    await asyncio.to_thread(config.directory.mkdir, parents=True, exist_ok=True)
    endpoint = await _credentials(config)
    ready.announce()  # the proxy of this machine shares the certificate
    agent = await build(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(agent.run())
        group.create_task(_announce([agent.moments.registered]))
        while True:
            endpoint = await _serve_until_renewal(agent, config, endpoint)


async def _announce(registered: Sequence[asyncio.Event]) -> None:
    """Tell the supervisor when every node is known to the cluster."""
    for event in registered:
        await event.wait()
    ready.announce()


async def _credentials(config: NodeConfig) -> Endpoint:
    """The node's own, joining first when there are none. Waits while nobody answers."""
    if credentials.exist(config.credentials):
        return credentials.load(config.credentials)
    if not config.join:
        raise ApiError(
            Reason.BAD_REQUEST,
            f"node {config.name} has no credentials in {config.credentials}:"
            " give --join TOKEN@HOST (`holdfast token create` prints the token)",
        )
    endpoint = await _join(tokens.parse_target(config.join), config.name)
    credentials.save(config.credentials, endpoint)
    return endpoint


async def _join(target: tokens.JoinTarget, name: str, client: Client | None = None) -> Endpoint:
    backoff = Backoff()
    while True:
        try:
            return await joining.join(target, name, client)
        except ApiError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.NOT_LEADER, Reason.TIMEOUT):
                raise
            log.warning("cannot join yet", node=name, why=error.message)
            await asyncio.sleep(backoff.next_s(random.random()))  # noqa: S311


async def build(config: NodeConfig) -> NodeAgent:
    """The agent of a real node, not yet running. It waits a moment for the runtime's version."""
    address = config.address or host.address()
    whole = {**host.capacity(config.max_pods, config.directory), **config.capacity}
    usable = {
        **host.allocatable(host.capacity(config.max_pods, config.directory)),
        **config.capacity,
    }
    runtime = CriRuntime(config.socket)
    clock = Clock()
    cgroup_root = config.cgroup_root or f"/holdfast/{config.name}"
    place = Place(
        node_name=config.name,
        host_ip=address,
        data=config.directory,
        cgroup_root=cgroup_root,
        memory_bytes=host.memory_bytes(),
        dns=host.resolver(config.cluster_dns, config.cluster_domain),
    )
    tools = Tools(runtime, place, ObjectSource(clock), Cgroups(cgroup_root), usable)
    facts = host.facts(
        config.name,
        address,
        (whole, usable),
        dict(config.labels),
        config.taints,
        await _runtime_version(runtime),
        version(),
    )
    plan = None
    if config.cni is not None:
        plan = Network(config.cni, config.bridge, config.directory / "cni")
    images = None if config.cni is None else partial(install.ensure, config.socket)
    return NodeAgent(tools, facts, plan, Timers(clock), images)


async def _runtime_version(runtime: CriRuntime) -> Version:
    loop = asyncio.get_running_loop()
    until = loop.time() + RUNTIME_WAIT_S
    while loop.time() < until:
        try:
            return await runtime.version()
        except RuntimeFault:
            await asyncio.sleep(0.1)
    return Version("containerd", "unknown")


async def _serve_until_renewal(
    agent: NodeAgent, config: NodeConfig, endpoint: Endpoint
) -> Endpoint:
    """Serve over one certificate until it was renewed; returns the next credentials."""

    def learned(addresses: tuple[str, ...]) -> None:
        nonlocal endpoint
        endpoint = replace(endpoint, addresses=addresses)
        credentials.save(config.credentials, endpoint)

    client = Client.connect(endpoint, manager="holdfast-node")
    client.on_learned(learned)
    serving = asyncio.create_task(agent.serve(client))
    try:
        renewed = await _renewed(lambda: endpoint, serving)
        credentials.save(config.credentials, renewed)
        return renewed
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await client.close()


async def _renewed(
    current: Callable[[], Endpoint], serving: asyncio.Task[None] | None = None
) -> Endpoint:
    """Wait until the certificate is to be renewed, then renew it, however long that takes."""
    clock = Clock()
    certificate_pem = current().certificate_pem
    assert certificate_pem is not None
    renew_at = certificates.from_pem(certificate_pem).renew_at
    while clock() < renew_at:
        await asyncio.sleep(min(60.0, max(0.05, renew_at - clock())))
        if serving is not None and serving.done():
            serving.result()
    backoff = Backoff(most_s=60.0)
    while True:
        try:
            return await joining.renew(current())
        except ApiError as error:
            log.warning("certificate not renewed", why=error.message)
            await asyncio.sleep(backoff.next_s(random.random()))  # noqa: S311


class _HollowIdentity:
    """One hollow node's certificate and the assertions made with it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._clock = Clock()
        self.take(endpoint)

    def take(self, endpoint: Endpoint) -> None:
        """Use these credentials from now on."""
        assert endpoint.certificate_pem is not None
        assert endpoint.key_pem is not None
        self.endpoint = endpoint
        self._asserter = Asserter(endpoint.ca_pem, endpoint.certificate_pem, endpoint.key_pem)

    def header(self) -> str:
        """What each call carries."""
        return self._asserter.header(self._clock())

    async def renew_forever(self, directory: Path) -> None:
        """Keep the certificate fresh."""
        while True:
            self.take(await _renewed(lambda: self.endpoint))
            await asyncio.to_thread(credentials.save, directory, self.endpoint)

    async def keep(self, directory: Path, addresses: tuple[str, ...]) -> None:
        """The control nodes are there now: for the next start."""
        self.endpoint = replace(self.endpoint, addresses=addresses)
        await asyncio.to_thread(credentials.save, directory, self.endpoint)


async def _run_hollow(config: NodeConfig) -> None:
    """Hollow nodes: connections to the token listener are shared, each call says whose it is."""
    if not config.join:
        raise ApiError(Reason.BAD_REQUEST, "hollow nodes need --join TOKEN@HOST")
    target = tokens.parse_target(config.join)
    count = (config.hollow + NODES_A_CONNECTION - 1) // NODES_A_CONNECTION
    known = _known_addresses(config, target)
    shared = [
        Client.connect(Endpoint(known, target.token.ca_pem), manager="holdfast-node")
        for _ in range(count)
    ]
    identities: dict[Path, _HollowIdentity] = {}
    rng = random.Random(config.seed)  # noqa: S311
    capacity = {**HOLLOW_CAPACITY, **config.capacity}
    names = [f"{config.name}-{number}" for number in range(config.hollow)]
    try:
        async with asyncio.TaskGroup() as group:
            cycles = Cycles()  # a thousand nodes are a million objects
            cycles.loaded()
            group.create_task(cycles.run())

            async def keep(addresses: tuple[str, ...]) -> None:
                for directory, identity in list(identities.items()):
                    await identity.keep(directory, addresses)

            # One of the connections hears what all hear.
            shared[0].on_learned(lambda addresses: _begin(group, keep(addresses)))

            async def connect(number: int, name: str) -> Client:
                client = shared[number // NODES_A_CONNECTION]
                directory = config.credentials / name
                if credentials.exist(directory):
                    endpoint = credentials.load(directory)
                else:
                    endpoint = await _join(target, name, client)
                    # On a thread: a thousand of them sync seconds' worth of files.
                    await asyncio.to_thread(credentials.save, directory, endpoint)
                identity = identities[directory] = _HollowIdentity(endpoint)
                group.create_task(identity.renew_forever(directory))
                return client.acting_as(identity.header)

            fleet = HollowFleet(connect, capacity, version(), config.hollow_timings, rng)
            group.create_task(_announce(fleet.registered(len(names))))
            group.create_task(fleet.run(names, Timers(Clock())))
            ready.announce()
    finally:
        for client in shared:
            await client.close()


def _begin(group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
    group.create_task(work)


def _known_addresses(config: NodeConfig, target: tokens.JoinTarget) -> tuple[str, ...]:
    """The token listeners of the control nodes: as the first node learned them, and the one where
    to join."""
    directory = config.credentials / f"{config.name}-0"
    known = credentials.load(directory).addresses if credentials.exist(directory) else ()
    return tuple(dict.fromkeys((target.address, *map(token_listener, known))))
