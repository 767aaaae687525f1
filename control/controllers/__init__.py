"""The controllers: what makes the cluster equal to what was asked for.

One module or folder a controller, each a pure `reconcile(view, key, now) -> Decision`; `runner`
is the only shell. They run inside the leader, read its cache and write through the registry.
What they write is judged like any client's write. Not here: placement of pods (scheduler), and
anything that talks to a node.
"""

from holdfast.control.controllers.decisions import Controller
from holdfast.control.controllers.deployments import Deployments
from holdfast.control.controllers.endpointslices import EndpointSlices
from holdfast.control.controllers.expiry import EventExpiry
from holdfast.control.controllers.garbage import Garbage
from holdfast.control.controllers.namespaces import Namespaces
from holdfast.control.controllers.nodes import NodeLifecycle
from holdfast.control.controllers.replicasets import ReplicaSets
from holdfast.control.controllers.serviceaccounts import ServiceAccounts

__all__ = ["Controller", "every"]


def every() -> list[Controller]:
    """One fresh instance of each controller, for one run."""
    return [
        NodeLifecycle(),
        EndpointSlices(),
        ReplicaSets(),
        Deployments(),
        Garbage(),
        Namespaces(),
        ServiceAccounts(),
        EventExpiry(),
    ]
