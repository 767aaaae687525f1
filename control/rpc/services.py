"""All services of a control node, as the handlers that a server takes.

Built by control/main from the node's parts; what each service needs stands in its own module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import grpc

from holdfast.control.access.ca import Authority, Randomness
from holdfast.control.access.revocations import Revocations
from holdfast.control.access.tokens import JoinTokens
from holdfast.control.cache import Cache
from holdfast.control.cache.hub import Hub
from holdfast.control.eventshare import EventShare
from holdfast.control.registry import Registry
from holdfast.control.rpc import access, backups, cluster, members, resources
from holdfast.control.rpc.doors import Authenticate, Require, anywhere
from holdfast.control.rpc.enrolment import Enrolment
from holdfast.control.rpc.pods import PodsService
from holdfast.control.rpc.sessions import SessionsService
from holdfast.control.sessions.sessions import Sessions
from holdfast.control.sessions.streams import Streams
from holdfast.control.store.engine import Engine

_PACKAGE = "holdfast.api.rpc.v1"
NAMES = tuple(
    f"{_PACKAGE}.{name}" for name in ("Resources", "Cluster", "Access", "Sessions", "Pods")
)
"""Full names, for health and reflection."""


@dataclass(frozen=True)
class Parts:
    """What the services work with. group: the control nodes; require: passes at their leader.
    peers: whether they call each other, and keep the state themselves."""

    engine: Engine
    cache: Cache
    hub: Hub
    registry: Registry
    event_share: EventShare
    sessions: Sessions
    streams: Streams
    authority: Authority
    tokens: JoinTokens
    revocations: Revocations
    authenticate: Authenticate
    group: members.Group
    require: Require = anywhere
    peers: bool = True


def handlers(
    parts: Parts, clock: Callable[[], float], rng: Randomness
) -> list[grpc.GenericRpcHandler]:
    """Every service's handler. clock: Unix seconds."""
    doors = access.Doors(
        authority=parts.authority,
        tokens=parts.tokens,
        revocations=parts.revocations,
        authenticate=parts.authenticate,
        connected=lambda node: parts.sessions.get(node) is not None,
        endpoints=lambda: members.addresses(parts.group.members()),
        enrolment=Enrolment(
            parts.group,
            parts.authority,
            parts.tokens,
            parts.registry.ranges,
            lambda: parts.engine.status().cluster_id,
            peers=parts.peers,
        ),
        require=parts.require,
    )
    parts.revocations.listen(parts.sessions.revoked)
    who, require = parts.authenticate, parts.require
    engine, cache = parts.engine, parts.cache
    objects = resources.ResourcesService(
        engine, cache, parts.hub, parts.registry, who, parts.event_share, require
    )
    return [
        objects.handler(),
        cluster.ClusterService(engine, cache, who, parts.group, require).handler(),
        backups.BackupService(engine, cache, parts.authority, who, clock).handler(),
        access.AccessService(doors, clock, rng).handler(),
        SessionsService(parts.sessions, parts.streams, who, objects.batch, require).handler(),
        PodsService(cache, parts.streams, who, require).handler(),
    ]
