"""What a control node is told at its start. Pure module."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from holdfast.control.registry.addresses.ranges import Ranges

PORT = 6444


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """A control node's flags.

    listen: addresses to listen on; the first is the one written into kubeconfigs.
    port: mutual TLS; port + 1 takes tokens and certificate assertions. metrics_port: loopback,
    0 = none. kubeconfig: where the administrator's is written, None = nowhere.
    """

    data_dir: Path
    listen: tuple[str, ...] = ("127.0.0.1",)
    port: int = PORT
    metrics_port: int = 0
    kubeconfig: Path | None = None
    name: str = "control-1"
    ranges: Ranges = field(default_factory=Ranges)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The mutual-TLS listeners, host:port."""
        return tuple(f"{host}:{self.port}" for host in self.listen)

    @property
    def token_endpoints(self) -> tuple[str, ...]:
        """The listeners for those without a certificate of their own connection."""
        return tuple(f"{host}:{self.port + 1}" for host in self.listen)
