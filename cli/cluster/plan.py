"""Which processes a cluster on this machine is made of, and in which order they start.

control and containerd first and side by side; other control nodes and node agents when control
serves (they join with a token); its proxy when the node has its certificate. Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdfast.cli.cluster import network
from holdfast.cli.cluster.settings import Settings

RESTART_DELAY_MIN_S = 0.1
RESTART_DELAY_MAX_S = 5.0
BRIDGE = "holdfast-pods"
"""The bridge that a node's pods hang on: the agent's default, in the node's namespace."""
HOLLOW_POD_CIDR = "10.128.0.0/9"
"""Room for a /24 each of thousands of simulated nodes; nothing is routed there."""
QUIET_S = 30.0
"""A process that ran this long starts again without delay."""


@dataclass(frozen=True, slots=True)
class Process:
    """One child of the supervisor. arguments: after `python -m holdfast.<program>`.

    announces: it says when it serves; others count as ready once started.
    after: names of the processes that must be ready before it starts.
    joins: it needs a join token in its --join-file, unless `joined` is there.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    namespace: str = ""
    announces: bool = True
    after: tuple[str, ...] = ()
    joins: Path | None = None
    joined: Path | None = None


def processes(settings: Settings) -> list[Process]:
    """The processes, each after those it waits for."""
    found = [_control(settings, number + 1) for number in range(settings.control)]
    if settings.hollow:
        return [*found, _hollow(settings)]
    for node in settings.node_names:
        found += [_containerd(settings, node), _node(settings, node), _netproxy(settings, node)]
    if settings.several:
        found.append(_host_netproxy(settings))
    return found


def control_address(settings: Settings) -> str:
    """Where nodes reach the control node."""
    return network.GATEWAY if settings.several else "127.0.0.1"


def restart_delay_s(failures: int, ran_s: float) -> float:
    """How long to wait before starting a process again that ended after `ran_s` seconds.

    failures: how often in a row it ended early.
    """
    if ran_s >= QUIET_S:
        return 0.0
    return min(RESTART_DELAY_MAX_S, RESTART_DELAY_MIN_S * 2.0 ** min(failures, 10))


def _control(settings: Settings, number: int) -> Process:
    """A control node, from 1 on: the first founds the cluster, the others join it."""
    # The first is the one that nodes and kubeconfig try first.
    listen = [*([network.GATEWAY] if settings.several else []), "127.0.0.1"]
    flags = [flag for address in listen for flag in ("--listen", address)]
    directory, port = settings.control_dir(number), settings.control_port(number)
    if settings.on_etcd:
        flags += ["--store", settings.store]
    if settings.hollow:
        flags += ["--pod-cidr", HOLLOW_POD_CIDR]
    token = directory / "join-token"
    if number == 1:
        flags += ["--kubeconfig", str(settings.kubeconfig)]
    else:
        flags += ["--join-file", str(token), *_joining(settings)]
    return Process(
        directory.name,
        "control",
        (
            *("--data-dir", str(directory), "--name", f"control-{number}"),
            *("--port", str(port), "--metrics-port", str(port + 2), *flags),
        ),
        after=("control",) if number > 1 else (),
        joins=token if number > 1 else None,
        joined=directory / ("store.json" if settings.on_etcd else "store.db"),
    )


def _joining(settings: Settings) -> tuple[str, ...]:
    server = f"{control_address(settings)}:{settings.port + 1}"
    return ("--server", server)


def _containerd(settings: Settings, node: str) -> Process:
    directory = settings.node_dir(node) / "containerd"
    return Process(
        f"containerd-{node}",
        "runtime",
        ("containerd", "--dir", str(directory)),
        _namespace(settings, node),
        announces=False,
    )


def _node(settings: Settings, node: str) -> Process:
    directory = settings.node_dir(node)
    token = directory / "join-token"
    where = ("--node-ip", network.address(node)) if settings.several else ()
    return Process(
        node,
        "node",
        (
            *("--name", node, "--dir", str(directory)),
            *("--containerd", str(settings.containerd_socket(node))),
            *("--join-file", str(token), *_joining(settings), *where),
        ),
        _namespace(settings, node),
        after=("control", f"containerd-{node}"),
        joins=token,
        joined=directory / "credentials" / "tls.crt",
    )


def _netproxy(settings: Settings, node: str) -> Process:
    directory = settings.node_dir(node)
    where = ("--node-ip", network.address(node)) if settings.several else ()
    return Process(
        f"netproxy-{node}",
        "netproxy",
        ("--name", node, "--dir", str(directory), *where),
        _namespace(settings, node),
        after=(node,),
    )


def _host_netproxy(settings: Settings) -> Process:
    """With several nodes this machine is none of them, but reaches pods and services too."""
    first = settings.node_names[0]
    directory = settings.data_dir / "host"
    credentials = settings.node_dir(first) / "credentials"
    return Process(
        "netproxy-host",
        "netproxy",
        (
            *("--name", "", "--dir", str(directory), "--credentials", str(credentials)),
            *("--node-ip", network.GATEWAY),
        ),
        after=(first,),
    )


def _hollow(settings: Settings) -> Process:
    directory = settings.data_dir / "nodes"
    token = directory / "join-token"
    return Process(
        "hollow",
        "node",
        (
            *("--hollow", str(settings.nodes), "--name", "node", "--dir", str(directory)),
            *("--join-file", str(token), *_joining(settings)),
        ),
        after=("control",),
        joins=token,
    )


def _namespace(settings: Settings, node: str) -> str:
    return network.namespace(settings, node) if settings.several else ""
