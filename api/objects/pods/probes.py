"""Rules for probes: exactly one handler, and numbers in their ranges. Pure module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.api import names
from holdfast.api.objects import intorstring

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.meta.v1 import meta_pb2 as meta
    from holdfast.api.objects.findings import Findings

SCHEMES = ("HTTP", "HTTPS")

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NUMBERS = (
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
    "failureThreshold",
)  # fmt: skip


def validate(container: Any, path: str, found: Findings, *, init: bool) -> None:
    """The probes and hooks of one container; init containers may have none."""
    for name in _PROBES:
        if container.HasField(name):
            if init:
                found.forbidden(f"{path}.{name}", "may not be set for init containers")
            else:
                _probe(getattr(container, name), f"{path}.{name}", found)
    if init and container.HasField("lifecycle"):
        found.forbidden(f"{path}.lifecycle", "may not be set for init containers")


def _probe(probe: core.Probe, path: str, found: Findings) -> None:
    handlers = [field.name for field, _ in probe.handler.ListFields()]
    if not handlers:
        found.required(path, "must specify a handler type")
    for name in handlers[1:]:
        found.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    if handlers:
        _handler(probe.handler, handlers[0], path, found)
    for field in _NUMBERS:
        if getattr(probe, field) < 0:
            found.not_negative(f"{path}.{field}", getattr(probe, field))
    if probe.successThreshold != 1 and not path.endswith("readinessProbe"):
        found.invalid(f"{path}.successThreshold", probe.successThreshold, "must be 1")


def _handler(handler: core.ProbeHandler, name: str, path: str, found: Findings) -> None:
    if name == "exec":
        if not handler.exec.command:
            found.required(f"{path}.exec.command")
    elif name == "httpGet":
        get = handler.httpGet
        if not get.path:
            found.required(f"{path}.httpGet.path")
        _port(get.port, f"{path}.httpGet.port", found)
        found.one_of(f"{path}.httpGet.scheme", get.scheme, SCHEMES)
        for index, header in enumerate(get.httpHeaders):
            if not header.name:
                found.required(f"{path}.httpGet.httpHeaders[{index}].name")
    elif name == "tcpSocket":
        _port(handler.tcpSocket.port, f"{path}.tcpSocket.port", found)


def _port(port: meta.IntOrString, path: str, found: Findings) -> None:
    if intorstring.is_text(port):
        found.name(path, port.strVal, names.port_name(port.strVal) if port.strVal else "")
    elif broken := names.port(port.intVal):
        found.invalid(path, port.intVal, broken)
