"""The network of `up --nodes N`: a namespace a node, all on one bridge of this machine.

Texts for `ip -batch`: built here, run by the supervisor. Every line may be repeated: a link or
address that is there already is no error (`-force`), so a restarted `up` finds its namespaces
with the pods still in them. Pure module.
"""

from __future__ import annotations

from holdfast.cli.cluster.settings import Settings

LAN = "10.89.0"
GATEWAY = f"{LAN}.1"


def bridge(settings: Settings) -> str:
    """The bridge's name, at most 15 characters."""
    return f"hf-{settings.tag}"


def namespace(settings: Settings, node: str) -> str:
    """A node's network namespace, as `ip netns` names it."""
    return f"holdfast-{settings.tag}-{node}"


def address(node: str) -> str:
    """A node's address on the bridge: node-1 has .11."""
    return f"{LAN}.{10 + int(node.removeprefix('node-'))}"


def outside(settings: Settings) -> str:
    """The batch for this machine: the bridge, the namespaces, a cable to each."""
    name = bridge(settings)
    lines = [f"link add {name} type bridge", f"addr add {GATEWAY}/24 dev {name}"]
    lines.append(f"link set {name} up")
    for node in settings.node_names:
        cable = f"hf{settings.tag}{node.removeprefix('node-')}"
        inside = namespace(settings, node)
        lines += [
            f"netns add {inside}",
            f"link add {cable} type veth peer name eth0 netns {inside}",
            f"link set {cable} master {name} up",
        ]
    return "\n".join(lines) + "\n"


def inside(node: str) -> str:
    """The batch for a node's namespace."""
    return (
        "link set lo up\n"
        f"addr add {address(node)}/24 dev eth0\n"
        "link set eth0 up\n"
        f"route add default via {GATEWAY}\n"
    )


def removal(settings: Settings) -> str:
    """The batch that takes the bridge and the namespaces away (cables go with them)."""
    lines = [f"netns delete {namespace(settings, node)}" for node in settings.node_names]
    return "\n".join([*lines, f"link delete {bridge(settings)}"]) + "\n"
