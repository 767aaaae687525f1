"""What a control node is told at its start. Pure module."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from holdfast.control.registry.addresses.ranges import Ranges

PORT = 6444
NAME = "control-1"
"""Of the founder; others take their machine's."""
OWN_STORE = "raft"
"""What --store says for a control node that keeps the state itself."""
PEERS_BESIDE = 3
"""The peers' port after that of the API: between them are those for tokens and for /metrics."""


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """A control node's flags.

    listen: addresses to listen on; the first is the one written into kubeconfigs, and the one
    where the other control nodes reach this one. port: mutual TLS; port + 1 takes tokens and
    certificate assertions; peer_port: for the other control nodes, 0 = port + 3. metrics_port:
    loopback, 0 = none. kubeconfig: where the administrator's is written, None = nowhere. join:
    TOKEN@HOST[:PORT] of the cluster that a new control node becomes a member of, "" = it founds
    one. name: "" = as it was, or the default. store: "" = its own, in data_dir, replicated among
    the control nodes; else an etcd:// text.
    """

    data_dir: Path
    listen: tuple[str, ...] = ("127.0.0.1",)
    port: int = PORT
    metrics_port: int = 0
    kubeconfig: Path | None = None
    name: str = ""
    join: str = ""
    peer_port: int = 0
    store: str = ""
    ranges: Ranges = field(default_factory=Ranges)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The mutual-TLS listeners, host:port."""
        return tuple(f"{host}:{self.port}" for host in self.listen)

    @property
    def peer(self) -> str:
        """Where the other control nodes reach this one, host:port; "" on an etcd, where they need
        not."""
        if self.store:
            return ""
        return f"{self.listen[0]}:{self.peer_port or self.port + PEERS_BESIDE}"

    @property
    def token_endpoints(self) -> tuple[str, ...]:
        """The listeners for those without a certificate of their own connection."""
        return tuple(f"{host}:{self.port + 1}" for host in self.listen)
