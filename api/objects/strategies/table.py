"""Which rules belong to which built kind; the order in which they run. Pure module.

To build a kind: set `built` in `holdfast.api.kinds`, add its line here, list its fields that work
in `built`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from holdfast.api import names
from holdfast.api.kinds import Kind, require_built
from holdfast.api.objects import metadata
from holdfast.api.objects.findings import Findings
from holdfast.api.objects.pods import defaults, updates
from holdfast.api.objects.pods import spec as pod_spec
from holdfast.api.objects.strategies import cluster, configs, endpoints, services, workloads


def _no_default(_message: Any) -> None:
    """Nothing is implied."""


def _no_rule(_message: Any, _found: Findings) -> None:
    """Metadata's rules are all there are."""


def _no_update_rule(_old: Any, _new: Any, _found: Findings) -> None:
    """Everything but metadata may change."""


class Strategy(NamedTuple):
    """The rules of one kind, beyond those of metadata."""

    default: Callable[[Any], None] = _no_default
    validate: Callable[[Any, Findings], None] = _no_rule
    validate_update: Callable[[Any, Any, Findings], None] = _no_update_rule
    name_rule: metadata.NameRule = names.subdomain


def _validate_pod(pod: Any, found: Findings) -> None:
    pod_spec.validate(pod.spec, "spec", found)


STRATEGIES: dict[str, Strategy] = {
    "pods": Strategy(defaults.default_pod, _validate_pod, updates.validate),
    "deployments.apps": Strategy(
        workloads.default_deployment,
        workloads.validate_deployment,
        workloads.validate_selector_update,
    ),
    "replicasets.apps": Strategy(
        workloads.default_replica_set,
        workloads.validate_replica_set,
        workloads.validate_selector_update,
    ),
    "services": Strategy(
        services.default, services.validate, services.validate_update, names.service
    ),
    "endpointslices.discovery.k8s.io": Strategy(
        endpoints.default, endpoints.validate, endpoints.validate_update
    ),
    "configmaps": Strategy(
        validate=configs.validate_config_map,
        validate_update=configs.validate_config_map_update,
    ),
    "secrets": Strategy(
        configs.default_secret, configs.validate_secret, configs.validate_secret_update
    ),
    "serviceaccounts": Strategy(),
    "nodes": Strategy(cluster.default_node, cluster.validate_node, cluster.validate_node_update),
    "namespaces": Strategy(default=cluster.default_namespace, name_rule=names.label),
    "leases.coordination.k8s.io": Strategy(validate=cluster.validate_lease),
    "events": Strategy(
        validate=cluster.validate_event, validate_update=cluster.validate_event_update
    ),
}


def of(kind: Kind) -> Strategy:
    """The rules of a kind. Raises ApiError NotImplemented when the kind is not built."""
    found = STRATEGIES.get(kind.resource)
    if found is None:
        require_built(kind)
        raise LookupError(f"{kind.resource} is marked as built but has no strategy")
    return found
