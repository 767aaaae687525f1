"""What every cluster has from its first moment: its namespaces, and its own service addresses.

Called by the control node each time it starts; what is there already stays as it is.
"""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError
from holdfast.api.identity import of_controller
from holdfast.control.registry.intents import Intent, Verb
from holdfast.control.registry.registry import Registry
from holdfast.control.registry.strategies.namespaces import PROTECTED

IDENTITY = of_controller("bootstrap")
API_PORT = 443
API_TARGET_PORT = 6443


async def bootstrap(registry: Registry) -> None:
    """Create what is missing. Raises ApiError when the store refuses for another reason."""
    namespaces = [_namespace(name) for name in PROTECTED]
    service = _api_service(registry.ranges.first_service_ip)
    intents = [
        Intent(Verb.CREATE, "namespaces", "", item.metadata.name, item) for item in namespaces
    ]
    intents.append(Intent(Verb.CREATE, "services", "default", "kubernetes", service))
    missing = [intent for intent in intents if not registry.has(intent)]
    for answer in await registry.commit(missing, IDENTITY):
        if isinstance(answer, ApiError):
            raise answer
    if registry.ranges.dns_ip:
        await registry.reserve_service_ip(registry.ranges.dns_ip, "the cluster DNS")


def _namespace(name: str) -> core_pb2.Namespace:
    namespace = core_pb2.Namespace()
    namespace.metadata.name = name
    namespace.metadata.labels["kubernetes.io/metadata.name"] = name
    return namespace


def _api_service(address: str) -> core_pb2.Service:
    """The Service "kubernetes" on the first address of the range, without a selector."""
    service = core_pb2.Service()
    service.metadata.name = "kubernetes"
    labels = service.metadata.labels
    labels["component"], labels["provider"] = "apiserver", "kubernetes"
    service.spec.clusterIP = address
    port = service.spec.ports.add(name="https", protocol="TCP", port=API_PORT)
    port.targetPort.type = 0
    port.targetPort.intVal = API_TARGET_PORT
    return service
