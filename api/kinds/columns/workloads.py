"""The columns of deployments and replica sets. Pure module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api.kinds import cells
from holdfast.api.kinds.kind import AGE, NAME, Column

if TYPE_CHECKING:
    from holdfast.api.apps.v1 import apps_pb2 as apps


def _ready(deployment: apps.Deployment, _now: float) -> str:
    return f"{deployment.status.readyReplicas}/{deployment.spec.replicas}"


_TEMPLATE = (
    Column("Containers", "string", 1, lambda o, _now: cells.containers(o.spec.template.spec)),
    Column("Images", "string", 1, lambda o, _now: cells.images(o.spec.template.spec)),
    Column("Selector", "string", 1, lambda o, _now: cells.selector(o.spec.selector)),
)

DEPLOYMENTS = (
    NAME,
    Column("Ready", "string", 0, _ready),
    Column("Up-to-date", "integer", 0, lambda o, _now: str(o.status.updatedReplicas)),
    Column("Available", "integer", 0, lambda o, _now: str(o.status.availableReplicas)),
    AGE,
    *_TEMPLATE,
)

REPLICA_SETS = (
    NAME,
    Column("Desired", "integer", 0, lambda o, _now: str(o.spec.replicas)),
    Column("Current", "integer", 0, lambda o, _now: str(o.status.replicas)),
    Column("Ready", "integer", 0, lambda o, _now: str(o.status.readyReplicas)),
    AGE,
    *_TEMPLATE,
)
