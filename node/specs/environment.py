"""A container's environment, resolved as Kubernetes does. Pure module.

Order: envFrom, then env (later ones win), then the Services' variables for names not set. `$(NAME)`
in values, commands and arguments is replaced by a variable defined before; `$$` escapes; a name
that is not defined stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from holdfast.api import quantity
from holdfast.api.core.v1 import core_pb2 as core

_REFERENCE = re.compile(r"\$(\$|\(([-._a-zA-Z0-9]+)\))")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]\Z")


class ConfigError(Exception):
    """Something the container refers to is not there. Its text is the status message."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container's environment may refer to beside its pod's object.

    config_maps and secrets: by name, of the pod's namespace; None = it does not exist.
    allocatable: the node's, as quantity text.
    """

    pod_ip: str = ""
    host_ip: str = ""
    config_maps: Mapping[str, core.ConfigMap | None] = field(default_factory=dict)
    secrets: Mapping[str, core.Secret | None] = field(default_factory=dict)
    services: tuple[core.Service, ...] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)


def resolve(pod: core.Pod, container: core.Container, around: Surroundings) -> dict[str, str]:
    """The variables by name. Raises ConfigError naming what is missing."""
    links = service_variables(pod, around.services)
    found: dict[str, str] = {}
    for source in container.envFrom:
        found.update(_from_source(source, around))
    for variable in container.env:
        if variable.HasField("valueFrom"):
            value = _value_from(pod, container, variable, around)
            if value is None:
                continue
        else:
            value = expand(variable.value, lambda name: found.get(name, links.get(name)))
        found[variable.name] = value
    return {**{name: value for name, value in links.items() if name not in found}, **found}


def expand(text: str, look_up: Callable[[str], str | None]) -> str:
    """Replace each `$(NAME)`; `$$` becomes `$`."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        value = look_up(match[2])
        return match[0] if value is None else value

    return _REFERENCE.sub(replace, text) if "$" in text else text


def expand_all(texts: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """A command or its arguments with their references replaced."""
    return tuple(expand(text, variables.get) for text in texts)


def needs(_pod: core.Pod, container: core.Container) -> tuple[set[str], set[str]]:
    """Names of the ConfigMaps and of the Secrets a container's environment refers to."""
    config_maps, secrets = set(), set()
    for source in container.envFrom:
        if source.HasField("configMapRef"):
            config_maps.add(source.configMapRef.localObjectReference.name)
        if source.HasField("secretRef"):
            secrets.add(source.secretRef.localObjectReference.name)
    for variable in container.env:
        origin = variable.valueFrom
        if origin.HasField("configMapKeyRef"):
            config_maps.add(origin.configMapKeyRef.localObjectReference.name)
        if origin.HasField("secretKeyRef"):
            secrets.add(origin.secretKeyRef.localObjectReference.name)
    return config_maps, secrets


def _from_source(source: core.EnvFromSource, around: Surroundings) -> Mapping[str, str]:
    data: Mapping[str, str]
    if source.HasField("configMapRef"):
        reference = source.configMapRef
        name = reference.localObjectReference.name
        config_map = around.config_maps.get(name)
        if config_map is None:
            if reference.optional:
                return {}
            raise ConfigError(f'configmap "{name}" not found')
        data = config_map.data
    else:
        name = source.secretRef.localObjectReference.name
        secret = around.secrets.get(name)
        if secret is None:
            if source.secretRef.optional:
                return {}
            raise ConfigError(f'secret "{name}" not found')
        data = {key: _text(value, name, key) for key, value in secret.data.items()}
    named = {source.prefix + key: value for key, value in sorted(data.items())}
    return {key: value for key, value in named.items() if _NAME.match(key)}


def _value_from(
    pod: core.Pod, container: core.Container, variable: core.EnvVar, around: Surroundings
) -> str | None:
    origin = variable.valueFrom
    where = pod.metadata.namespace
    if origin.HasField("fieldRef"):
        return field_value(pod, origin.fieldRef.fieldPath, around)
    if origin.HasField("resourceFieldRef"):
        return _resource_value(pod, container, origin.resourceFieldRef, around)
    if origin.HasField("configMapKeyRef"):
        wanted = origin.configMapKeyRef
        name = wanted.localObjectReference.name
        config_map = around.config_maps.get(name)
        text = config_map.data.get(wanted.key) if config_map is not None else None
        if text is not None:
            return text
        _miss("configmap", f"ConfigMap {where}/{name}", wanted, config_map is not None)
        return None
    if origin.HasField("secretKeyRef"):
        reference = origin.secretKeyRef
        name = reference.localObjectReference.name
        secret = around.secrets.get(name)
        value = secret.data.get(reference.key) if secret is not None else None
        if value is not None:
            return _text(value, name, reference.key)
        _miss("secret", f"Secret {where}/{name}", reference, secret is not None)
        return None
    raise ConfigError(f'env "{variable.name}": valueFrom has no source')


def _miss(
    word: str,
    where: str,
    reference: core.ConfigMapKeySelector | core.SecretKeySelector,
    exists: bool,
) -> None:
    """Refuse what is missing, unless it is optional."""
    if reference.optional:
        return
    if exists:
        raise ConfigError(f"couldn't find key {reference.key} in {where}")
    raise ConfigError(f'{word} "{reference.localObjectReference.name}" not found')


def _text(value: bytes, secret: str, key: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ConfigError(f'key {key} of secret "{secret}" is not text (UTF-8)') from None


def field_value(pod: core.Pod, path: str, around: Surroundings) -> str:
    """The value of a fieldRef. Raises ConfigError for a path that is not supported."""
    subscript = _SUBSCRIPT.match(path)
    if subscript:
        table = pod.metadata.labels if subscript[1] == "labels" else pod.metadata.annotations
        return table.get(subscript[2], "")
    getter = _FIELDS.get(path)
    if getter is None:
        raise ConfigError(f'fieldPath "{path}" is not supported')
    return getter(pod, around)


_FIELDS: dict[str, Callable[[core.Pod, Surroundings], str]] = {
    "metadata.name": lambda pod, _: pod.metadata.name,
    "metadata.namespace": lambda pod, _: pod.metadata.namespace,
    "metadata.uid": lambda pod, _: pod.metadata.uid,
    "spec.nodeName": lambda pod, _: pod.spec.nodeName,
    "spec.serviceAccountName": lambda pod, _: pod.spec.serviceAccountName,
    "status.hostIP": lambda _, around: around.host_ip,
    "status.hostIPs": lambda _, around: around.host_ip,
    "status.podIP": lambda _, around: around.pod_ip,
    "status.podIPs": lambda _, around: around.pod_ip,
}


def _resource_value(
    pod: core.Pod,
    container: core.Container,
    reference: core.ResourceFieldSelector,
    around: Surroundings,
) -> str:
    if reference.containerName:
        every = (*pod.spec.containers, *pod.spec.initContainers)
        container = next(
            (item for item in every if item.name == reference.containerName), container
        )
    bound, _, name = reference.resource.partition(".")
    resources = container.resources
    table = resources.limits if bound == "limits" else resources.requests
    found = table.get(name)
    text = found.string if found is not None else ""
    if not text and bound == "limits":
        text = around.allocatable.get(name, "")
    divisor = reference.divisor.string or "1"
    share = Fraction(quantity.parse(text or "0")) / (Fraction(quantity.parse(divisor)) or 1)
    return str(math.ceil(share))


def service_variables(pod: core.Pod, services: Iterable[core.Service]) -> dict[str, str]:
    """The variables by which pods find the Services of their namespace (and `kubernetes`)."""
    spec = pod.spec
    links = spec.enableServiceLinks if spec.HasField("enableServiceLinks") else True
    found: dict[str, str] = {}
    for service in services:
        meta = service.metadata
        api = meta.namespace == "default" and meta.name == "kubernetes"
        if api or (links and meta.namespace == pod.metadata.namespace):
            found.update(_links(service))
    return found


def _links(service: core.Service) -> dict[str, str]:
    address, ports = service.spec.clusterIP, service.spec.ports
    if not address or address == "None" or not ports:
        return {}
    prefix = service.metadata.name.upper().replace("-", "_")
    found = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(ports[0].port),
    }
    for number, port in enumerate(ports):
        protocol = port.protocol or "TCP"
        if port.name:
            suffix = port.name.upper().replace("-", "_")
            found[f"{prefix}_SERVICE_PORT_{suffix}"] = str(port.port)
        url = f"{protocol.lower()}://{address}:{port.port}"
        link = f"{prefix}_PORT_{port.port}_{protocol}"
        if number == 0:
            found[f"{prefix}_PORT"] = url
        found[link] = url
        found[f"{link}_PROTO"] = protocol.lower()
        found[f"{link}_PORT"] = str(port.port)
        found[f"{link}_ADDR"] = address
    return found
