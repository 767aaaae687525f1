"""The kinds of networking, discovery and coordination. Pure module."""

from __future__ import annotations

from holdfast.api.kinds.columns import cluster, services
from holdfast.api.kinds.kind import Kind

_GROUP = "networking.k8s.io"
_MODULE = "networking.v1.networking_pb2"

KINDS = (
    Kind(
        "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "discovery.v1.discovery_pb2",
        columns=services.ENDPOINT_SLICES,
        built=True,
    ),
    Kind(
        "coordination.k8s.io", "v1", "Lease", "leases", "coordination.v1.coordination_pb2",
        columns=cluster.LEASES,
        built=True,
    ),
    Kind(
        _GROUP, "v1", "Ingress", "ingresses", _MODULE, ("ing",),
        subresources=("status",),
    ),
    Kind(_GROUP, "v1", "IngressClass", "ingressclasses", _MODULE, namespaced=False),
    Kind(_GROUP, "v1", "NetworkPolicy", "networkpolicies", _MODULE, ("netpol",)),
    Kind(_GROUP, "v1", "IPAddress", "ipaddresses", _MODULE, ("ip",), namespaced=False),
    Kind(
        _GROUP, "v1", "ServiceCIDR", "servicecidrs", _MODULE,
        namespaced=False,
        subresources=("status",),
    ),
)  # fmt: skip
