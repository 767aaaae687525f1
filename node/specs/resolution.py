"""How names are looked up in a pod: resolv.conf and the hosts file. Pure module."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.runtime.interface import Dns

SERVERS_MAX = 3  # what the C library reads
SEARCHES_MAX = 32
_NDOTS = "ndots:5"
_NO_DNS = Dns()


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """Where the cluster's names are answered. host: the machine's own resolv.conf."""

    servers: tuple[str, ...] = ("10.96.0.10",)
    domain: str = "cluster.local"
    host: Dns = _NO_DNS


def parse(text: str) -> Dns:
    """What a resolv.conf says (resolv.conf(5))."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = tuple(words[1:])
        elif words[0] == "options":
            options += words[1:]
    return Dns(tuple(servers), searches, tuple(options))


def of_pod(pod: core.Pod, cluster: ClusterDns) -> Dns:
    """The pod's resolv.conf, by its dnsPolicy and dnsConfig."""
    spec = pod.spec
    policy = spec.dnsPolicy or "ClusterFirst"
    if policy == "ClusterFirst" and spec.hostNetwork:
        policy = "Default"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        domain = cluster.domain
        own = (f"{pod.metadata.namespace}.svc.{domain}", f"svc.{domain}", domain)
        base = Dns(cluster.servers, own + cluster.host.searches, (_NDOTS,))
    elif policy == "None":
        base = Dns()
    else:
        base = cluster.host
    return _with_config(base, spec.dnsConfig) if spec.HasField("dnsConfig") else base


def _with_config(base: Dns, config: core.PodDNSConfig) -> Dns:
    options = {option.partition(":")[0]: option for option in base.options}
    for option in config.options:
        valued = f"{option.name}:{option.value}" if option.value else option.name
        options[option.name] = valued
    return Dns(
        _unique((*base.servers, *config.nameservers))[:SERVERS_MAX],
        _unique((*base.searches, *config.searches))[:SEARCHES_MAX],
        tuple(options.values()),
    )


def _unique(items: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def hostname(pod: core.Pod, node_name: str) -> str:
    """The name of the pod's own machine: at most 63 characters, never ending in - or a dot."""
    if pod.spec.hostNetwork:
        return node_name
    return (pod.spec.hostname or pod.metadata.name)[:63].rstrip("-.")


def hosts_file(pod: core.Pod, pod_ip: str, domain: str) -> str:
    """/etc/hosts of a pod that has a network of its own."""
    name = hostname(pod, "")
    names = name
    if pod.spec.subdomain:
        full = f"{name}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{domain}"
        names = f"{full}\t{name}"
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
        f"{pod_ip}\t{names}",
    ]
    if pod.spec.hostAliases:
        lines += ["", "# Entries added by HostAliases."]
        lines += [f"{alias.ip}\t" + "\t".join(alias.hostnames) for alias in pod.spec.hostAliases]
    return "\n".join(lines) + "\n"
