"""Rules for a whole pod spec, the same in a pod and in a template. Pure module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api import names
from holdfast.api.objects.pods import containers, placement, volumes

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.objects.findings import Findings

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SEARCHES_BYTES_MAX = 2048


def validate(spec: core.PodSpec, path: str, found: Findings) -> None:
    """Everything in a (defaulted) pod spec."""
    mountable = volumes.validate(spec.volumes, f"{path}.volumes", found)
    if not spec.containers:
        found.required(f"{path}.containers")
    _containers(spec, path, mountable, found)
    found.one_of(f"{path}.restartPolicy", spec.restartPolicy, RESTART_POLICIES)
    grace_s = spec.terminationGracePeriodSeconds
    found.not_negative(f"{path}.terminationGracePeriodSeconds", grace_s)
    placement.validate(spec, path, found)
    _names(spec, path, found)
    found.one_of(f"{path}.dnsPolicy", spec.dnsPolicy, DNS_POLICIES)
    _dns(spec, path, found)
    containers.user_ids(spec.securityContext, f"{path}.securityContext", found)
    for index, group in enumerate(spec.securityContext.supplementalGroups):
        if not 0 <= group <= containers.USER_ID_MAX:
            at = f"{path}.securityContext.supplementalGroups[{index}]"
            found.invalid(at, group, containers.USER_ID_RULE)


def _containers(spec: core.PodSpec, path: str, mountable: frozenset[str], found: Findings) -> None:
    """Each container; names are unique over both lists, host ports over the ones that run
    together."""
    seen: set[str] = set()
    taken: set[tuple[int, str, str]] = set()
    for field, init in (("initContainers", True), ("containers", False)):
        for index, container in enumerate(getattr(spec, field)):
            at = f"{path}.{field}[{index}]"
            containers.validate(container, at, mountable, found, init=init)
            if container.name in seen:
                found.duplicate(f"{at}.name", container.name)
            seen.add(container.name)
            for number, port in enumerate(container.ports):
                if port.hostPort and not init:
                    _host_port(spec, port, f"{at}.ports[{number}]", taken, found)


def _host_port(
    spec: core.PodSpec,
    port: core.ContainerPort,
    path: str,
    taken: set[tuple[int, str, str]],
    found: Findings,
) -> None:
    if spec.hostNetwork and port.hostPort != port.containerPort:
        detail = "must match `containerPort` when `hostNetwork` is true"
        found.invalid(f"{path}.hostPort", port.hostPort, detail)
    place = (port.hostPort, port.protocol, port.hostIP)
    if place in taken:
        found.duplicate(f"{path}.hostPort", port.hostPort)
    taken.add(place)


def _names(spec: core.PodSpec, path: str, found: Findings) -> None:
    if spec.hostname:
        found.rule(f"{path}.hostname", spec.hostname, names.label(spec.hostname))
    if spec.subdomain:
        found.rule(f"{path}.subdomain", spec.subdomain, names.label(spec.subdomain))
    if spec.nodeName:
        found.rule(f"{path}.nodeName", spec.nodeName, names.subdomain(spec.nodeName))
    account = spec.serviceAccountName
    if account:
        found.rule(f"{path}.serviceAccountName", account, names.subdomain(account))


def _dns(spec: core.PodSpec, path: str, found: Findings) -> None:
    config, at = spec.dnsConfig, f"{path}.dnsConfig"
    if spec.dnsPolicy == "None" and not config.nameservers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        found.required(f"{at}.nameservers", detail)
    if not spec.HasField("dnsConfig"):
        return
    if len(config.nameservers) > NAMESERVERS_MAX:
        detail = f"must not have more than {NAMESERVERS_MAX} nameservers"
        found.invalid(f"{at}.nameservers", len(config.nameservers), detail)
    for index, address in enumerate(config.nameservers):
        found.rule(f"{at}.nameservers[{index}]", address, names.ip(address))
    if len(config.searches) > SEARCHES_MAX:
        detail = f"must not have more than {SEARCHES_MAX} search paths"
        found.invalid(f"{at}.searches", len(config.searches), detail)
    if len(" ".join(config.searches)) > SEARCHES_BYTES_MAX:
        found.too_long(f"{at}.searches", SEARCHES_BYTES_MAX)
    for index, domain in enumerate(config.searches):
        broken = names.subdomain(domain.removesuffix(".")) if domain != "." else ""
        found.rule(f"{at}.searches[{index}]", domain, broken)
    for index, option in enumerate(config.options):
        if not option.name:
            found.required(f"{at}.options[{index}].name")
