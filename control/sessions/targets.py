"""Which node and container a request for logs or exec is about.

Container names are settled here, so a client gets one clear error without a stream to a node.
Pure module.
"""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason, conflict
from holdfast.api.rpc.v1 import sessions_pb2 as wire

Request = wire.LogsRequest | wire.ExecRequest


def address(pod: core.Pod, request: Request) -> str:
    """The node to ask; fills in the request's container and uid.

    Raises ApiError: BadRequest (not scheduled, no such container, several to choose from),
    Conflict (another incarnation of the name was asked for).
    """
    name = pod.metadata.name
    if request.uid and request.uid != pod.metadata.uid:
        raise conflict("pods", name, f"its uid is {pod.metadata.uid}, not {request.uid}")
    if not pod.spec.nodeName:
        raise ApiError(Reason.BAD_REQUEST, f'pod "{name}" is not scheduled to a node yet', "", name)
    request.container = _container(pod, request.container)
    request.uid = pod.metadata.uid
    return pod.spec.nodeName


def _container(pod: core.Pod, wanted: str) -> str:
    plain = [container.name for container in pod.spec.containers]
    initial = [container.name for container in pod.spec.initContainers]
    if wanted:
        if wanted in plain or wanted in initial:
            return wanted
        raise _which(pod, f'container "{wanted}" is not in pod "{pod.metadata.name}"', plain)
    if len(plain) > 1:
        raise _which(pod, f'pod "{pod.metadata.name}" has several containers', plain)
    return plain[0]


def _which(pod: core.Pod, problem: str, names: list[str]) -> ApiError:
    message = f"{problem}: choose one of {', '.join(names)}"
    return ApiError(Reason.BAD_REQUEST, message, "pods", pod.metadata.name)
