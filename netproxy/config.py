"""What one proxy agent is told when it starts. Pure module."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from holdfast.api.errors import ApiError, Reason


@dataclass(frozen=True, slots=True)
class NetproxyConfig:
    """The settings of one agent.

    name: this machine's node, "" when it is none (it then is the gateway of the nodes that have
    namespaces on it). directory: of the snapshot. credentials: a credentials directory, kept by
    the node agent. node_ip: "" = the InternalIP of the node. dns_address: "" = no DNS here.
    upstreams: DNS servers for other names, empty = those of resolv.conf.
    """

    name: str
    directory: Path
    credentials: Path
    node_ip: str = ""
    cluster_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/16"
    dns_address: str = "10.96.0.10"
    dns_port: int = 53
    zone: str = "cluster.local"
    upstreams: tuple[str, ...] = ()


def checked(config: NetproxyConfig) -> NetproxyConfig:
    """The config, or ApiError BadRequest naming the flag that is wrong."""
    for flag, text in (
        ("--cluster-cidr", config.cluster_cidr),
        ("--service-cidr", config.service_cidr),
    ):
        _require(_is_network(text), f'{flag} "{text}" is not an IPv4 range like 10.96.0.0/16')
    service = ipaddress.IPv4Network(config.service_cidr)
    _require(
        not service.overlaps(ipaddress.IPv4Network(config.cluster_cidr)),
        f"--service-cidr {config.service_cidr} and --cluster-cidr {config.cluster_cidr} overlap",
    )
    if config.node_ip:
        _require(_is_address(config.node_ip), f'--node-ip "{config.node_ip}" is not IPv4')
    if config.dns_address:
        _require(
            _is_address(config.dns_address)
            and ipaddress.IPv4Address(config.dns_address) in service,
            f'--dns "{config.dns_address}" is not an address of --service-cidr',
        )
    for upstream in config.upstreams:
        _require(
            _is_ip(upstream) and upstream != config.dns_address,
            f'--upstream "{upstream}" is not the address of another DNS server',
        )
    return config


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ApiError(Reason.BAD_REQUEST, message)


def _is_network(text: str) -> bool:
    try:
        return 8 <= ipaddress.IPv4Network(text).prefixlen <= 30
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    return _is_ip(text) and ":" not in text


def _is_ip(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False
