"""Rules for containers: image, ports, environment, mounts, resources, privileges. Pure module.

Called by `spec` with the names of the pod's volumes; `probes` has the rules for probes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from holdfast.api import names, quantity
from holdfast.api.objects.pods import probes

if TYPE_CHECKING:
    from fractions import Fraction

    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.objects.findings import Findings

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("TCP", "UDP", "SCTP")
USER_ID_MAX = 2**31 - 1
USER_ID_RULE = f"must be between 0 and {USER_ID_MAX}, inclusive"

_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_RESOURCE_FIELDS = tuple(
    f"{side}.{resource}" for side in ("limits", "requests") for resource in _RESOURCES
)
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_SOURCES = ("configMapRef", "secretRef")


def validate(
    container: core.Container, path: str, volumes: frozenset[str], found: Findings, *, init: bool
) -> None:
    """One container or init container. volumes: the names its mounts may use."""
    found.name(f"{path}.name", container.name, names.label(container.name))
    _image(container.image, f"{path}.image", found)
    found.one_of(f"{path}.imagePullPolicy", container.imagePullPolicy, PULL_POLICIES)
    if container.ports:
        _ports(container.ports, f"{path}.ports", found)
    if container.env:
        _environment(container.env, f"{path}.env", found)
    if container.envFrom:
        _environment_sources(container.envFrom, f"{path}.envFrom", found)
    if container.volumeMounts:
        _mounts(container.volumeMounts, f"{path}.volumeMounts", volumes, found)
    if container.HasField("resources"):
        _resources(container.resources, f"{path}.resources", found)
    if container.HasField("securityContext"):
        _security(container.securityContext, f"{path}.securityContext", found)
    probes.validate(container, path, found, init=init)


def _image(image: str, path: str, found: Findings) -> None:
    if not image:
        found.required(path)
    elif image != image.strip():
        found.invalid(path, image, "must not have leading or trailing whitespace")


def _ports(ports: Iterable[core.ContainerPort], path: str, found: Findings) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if port.name:
            found.rule(f"{at}.name", port.name, names.port_name(port.name))
            if port.name in seen:
                found.duplicate(f"{at}.name", port.name)
            seen.add(port.name)
        if not port.containerPort:
            found.required(f"{at}.containerPort")
        elif broken := names.port(port.containerPort):
            found.invalid(f"{at}.containerPort", port.containerPort, broken)
        if port.hostPort and (broken := names.port(port.hostPort)):
            found.invalid(f"{at}.hostPort", port.hostPort, broken)
        if port.protocol not in PROTOCOLS:
            found.one_of(f"{at}.protocol", port.protocol, PROTOCOLS)
        if port.hostIP:
            found.rule(f"{at}.hostIP", port.hostIP, names.ip(port.hostIP))


def _environment(variables: Iterable[core.EnvVar], path: str, found: Findings) -> None:
    for index, variable in enumerate(variables):
        name = variable.name
        if not name or names.env(name):
            found.name(f"{path}[{index}].name", name, names.env(name))
        if variable.HasField("valueFrom"):
            _value_from(variable, f"{path}[{index}].valueFrom", found)


def _exactly_one(message: Any, fields: tuple[str, ...], path: str, found: Findings) -> str:
    """The one field that is set; "" after naming what is wrong."""
    present = [field for field in fields if message.HasField(field)]
    if len(present) == 1:
        return present[0]
    if present:
        found.invalid(path, ", ".join(present), "may not have more than one field specified")
    else:
        found.required(path, "must specify one of: " + ", ".join(fields))
    return ""


def _value_from(variable: core.EnvVar, path: str, found: Findings) -> None:
    source = variable.valueFrom
    if variable.value:
        detail = "may not be specified when `value` is not empty"
        found.invalid(path, variable.name, detail)
    chosen = _exactly_one(source, _SOURCES, path, found)
    if chosen == "fieldRef":
        _field_reference(source.fieldRef.fieldPath, f"{path}.fieldRef.fieldPath", found)
    elif chosen == "resourceFieldRef":
        _resource_reference(source.resourceFieldRef, f"{path}.resourceFieldRef", found)
    elif chosen in ("configMapKeyRef", "secretKeyRef"):
        selector = getattr(source, chosen)
        if not selector.localObjectReference.name:
            found.required(f"{path}.{chosen}.name")
        found.name(f"{path}.{chosen}.key", selector.key, names.config_key(selector.key))


def _field_reference(field: str, path: str, found: Findings) -> None:
    if not field:
        found.required(path)
    elif keyed := _KEYED_FIELD.fullmatch(field):
        found.rule(path, field, names.qualified(keyed[2].lower()))
    elif field not in _FIELDS:
        found.unsupported(
            path, field, (*_FIELDS, "metadata.labels['<KEY>']", "metadata.annotations['<KEY>']")
        )


def _resource_reference(item: core.ResourceFieldSelector, path: str, found: Findings) -> None:
    found.one_of(f"{path}.resource", item.resource, _RESOURCE_FIELDS)
    if item.divisor.string:
        amount(item.divisor.string, f"{path}.divisor", found)


def _environment_sources(sources: Iterable[core.EnvFromSource], path: str, found: Findings) -> None:
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if source.prefix:
            found.rule(f"{at}.prefix", source.prefix, names.env(source.prefix))
        chosen = _exactly_one(source, _ENV_SOURCES, at, found)
        if chosen and not getattr(source, chosen).localObjectReference.name:
            found.required(f"{at}.{chosen}.name")


def _mounts(
    mounts: Iterable[core.VolumeMount], path: str, volumes: frozenset[str], found: Findings
) -> None:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        at = f"{path}[{index}]"
        if not mount.name:
            found.required(f"{at}.name")
        elif mount.name not in volumes:
            found.not_found(f"{at}.name", mount.name)
        if not mount.mountPath:
            found.required(f"{at}.mountPath")
        elif mount.mountPath in seen:
            found.invalid(f"{at}.mountPath", mount.mountPath, "must be unique")
        elif not mount.mountPath.startswith("/"):
            found.invalid(f"{at}.mountPath", mount.mountPath, "must be an absolute path")
        seen.add(mount.mountPath)


@lru_cache(maxsize=4096)
def _judged(text: str) -> tuple[Fraction | None, str]:
    """The value of a quantity, or what is wrong with it."""
    try:
        value = quantity.parse(text)
    except quantity.QuantityError as error:
        return None, str(error)
    return (None, "must be greater than or equal to 0") if value < 0 else (value, "")


def amount(text: str, path: str, found: Findings) -> Fraction | None:
    """The value of a quantity, None after naming what is wrong with it."""
    value, broken = _judged(text)
    if broken:
        found.invalid(path, text, broken)
    return value


@lru_cache(maxsize=4096)
def _exceeds(text: str, limit: str) -> bool:
    """Whether one quantity is more than another; a bad one, which is named elsewhere, is not."""
    value, most = _judged(text)[0], _judged(limit)[0]
    return value is not None and most is not None and value > most


def _resources(resources: core.ResourceRequirements, path: str, found: Findings) -> None:
    limits = {name: limit.string for name, limit in resources.limits.items()}
    for name, text in limits.items():
        _resource_name(name, f"{path}.limits", found)
        amount(text, f"{path}.limits[{name}]", found)
    for name, request in resources.requests.items():
        at = f"{path}.requests[{name}]"
        limit_text = limits.get(name)
        if limit_text == request.string:
            continue
        if limit_text is None:
            _resource_name(name, f"{path}.requests", found)
        amount(request.string, at, found)
        if limit_text is not None and _exceeds(request.string, limit_text):
            detail = f"must be less than or equal to {name} limit of {limit_text}"
            found.invalid(at, request.string, detail)


def _resource_name(name: str, path: str, found: Findings) -> None:
    if name in _RESOURCES:
        return
    if broken := names.qualified(name):
        found.invalid(path, name, broken)
    elif "/" not in name and not name.startswith("hugepages-"):
        found.invalid(path, name, "must be a standard resource type or fully qualified")


def _security(context: core.SecurityContext, path: str, found: Findings) -> None:
    user_ids(context, path, found)
    if context.HasField("allowPrivilegeEscalation") and not context.allowPrivilegeEscalation:
        detail = "cannot set `allowPrivilegeEscalation` to false and "
        if context.privileged:
            found.invalid(path, "privileged", detail + "`privileged` to true")
        if {"CAP_SYS_ADMIN", "SYS_ADMIN"} & set(context.capabilities.add):
            found.invalid(path, "SYS_ADMIN", detail + "add the capability SYS_ADMIN")


def user_ids(context: Any, path: str, found: Findings) -> None:
    """The user and group of a container's or a pod's security context."""
    for field in ("runAsUser", "runAsGroup"):
        if context.HasField(field) and not 0 <= getattr(context, field) <= USER_ID_MAX:
            found.invalid(f"{path}.{field}", getattr(context, field), USER_ID_RULE)
