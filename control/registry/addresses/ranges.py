"""The ranges that addresses come from, as configured, and their arithmetic. Pure module."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address

_SERVICES = IPv4Network("10.96.0.0/16")
_PODS = IPv4Network("10.244.0.0/16")


@dataclass(frozen=True, slots=True)
class Ranges:
    """What the cluster may hand out.

    services: where Service IPs come from. pods: cut into one block of /node_prefix a node.
    node_ports: first and last. dns_ip: the cluster DNS, never given to a Service; "" = none.
    """

    services: IPv4Network = _SERVICES
    pods: IPv4Network = _PODS
    node_prefix: int = 24
    node_ports: tuple[int, int] = (30000, 32767)
    dns_ip: str = "10.96.0.10"

    def __post_init__(self) -> None:
        """Raises ValueError naming the range that cannot work."""
        if self.services.prefixlen > 28:
            raise ValueError(f"service range {self.services} is too small: /28 at least")
        if not self.pods.prefixlen <= self.node_prefix <= 30:
            raise ValueError(f"pod range {self.pods} cannot be cut into /{self.node_prefix} blocks")
        if self.services.overlaps(self.pods):
            raise ValueError(f"service range {self.services} overlaps pod range {self.pods}")
        low, high = self.node_ports
        if not 1 <= low <= high <= 65535:
            raise ValueError(f"node ports {low}-{high} are no range of ports")

    @property
    def first_service_ip(self) -> str:
        """The address of the Service "kubernetes"."""
        return str(self.services.network_address + 1)

    @property
    def static_addresses(self) -> int:
        """How many of the first service IPs are left to people who name one (KEP-3070)."""
        size = self.services.num_addresses - 2
        return 0 if size < 32 else min(max(16, size // 16), 256)

    def holds_service(self, text: str) -> bool:
        """Whether this is an address that a Service may have."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return (
            isinstance(address, IPv4Address)
            and address in self.services
            and address not in (self.services.network_address, self.services.broadcast_address)
        )

    def holds_block(self, text: str) -> bool:
        """Whether this is one of the blocks that pods are cut into."""
        try:
            block = IPv4Network(text)
        except ValueError:
            return False
        return block.prefixlen == self.node_prefix and block.subnet_of(self.pods)
