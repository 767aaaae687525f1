"""The CNI configuration of a node: bridge, host-local addresses, port mappings.

The text is a pure function; writing it is one rename, so that containerd never reads half a file.
Pods' packets keep their own source address inside the cluster: the bridge does not masquerade
(what leaves the cluster is masqueraded by netproxy, which knows the whole pod range).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE_NAME = "10-holdfast.conflist"
BRIDGE_CHARACTERS_MAX = 15
MTU = 1500


def configuration(pod_cidr: str, bridge: str, state: Path, mtu: int = MTU) -> str:
    """The conflist (CNI 0.4.0). pod_cidr: this node's range; state: where addresses are kept.

    Raises ValueError for a bridge name the kernel would refuse.
    """
    if not 0 < len(bridge) <= BRIDGE_CHARACTERS_MAX:
        raise ValueError(
            f'the bridge name "{bridge}" must have 1 to {BRIDGE_CHARACTERS_MAX} characters'
        )
    plugins = [
        {
            "type": "bridge",
            "bridge": bridge,
            "isGateway": True,
            "hairpinMode": True,
            "ipMasq": False,
            "mtu": mtu,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": pod_cidr}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": str(state),
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
    ]
    tree = {"cniVersion": "0.4.0", "name": "holdfast", "plugins": plugins}
    return json.dumps(tree, indent=2) + "\n"


def write(directory: Path, text: str) -> bool:
    """Put the configuration where containerd looks for it; returns whether it changed."""
    path = directory / FILE_NAME
    if path.exists() and path.read_text("utf-8") == text:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{FILE_NAME}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return True
