"""`python -m holdfast.node`: flags to a NodeConfig, then `main.run` on uvloop until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from pathlib import Path

import uvloop

from holdfast.api import logs
from holdfast.api.errors import ApiError
from holdfast.node import main
from holdfast.node.uplink.node_object import Taint
from holdfast.runtime.hollow import Timings

DATA = Path("/var/lib/holdfast/node")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="holdfast node", description="Run a node agent.")
    add = parser.add_argument
    add("--name", default=socket.gethostname().lower(), help="the node's name")
    add("--join", default="", metavar="TOKEN@HOST[:PORT]", help="join this cluster first")
    add("--data-dir", type=Path, default=DATA, help=f"pods' files and logs ({DATA})")
    add("--credentials", type=Path, help="the node's certificate (default: DATA-DIR/tls)")
    add("--hollow", type=int, default=0, metavar="N", help="N simulated nodes, NAME-0 …")
    add("--hollow-speed", type=float, default=1.0, metavar="X", help="how many times faster")
    add("--seed", type=int, help="of the simulated nodes' randomness")
    add("--socket", type=Path, default=Path("/run/containerd/containerd.sock"))
    add("--address", default="", help="the node's address (default: found out)")
    add("--label", action="append", default=[], metavar="KEY=VALUE")
    add("--taint", action="append", default=[], metavar="KEY[=VALUE]:EFFECT")
    add("--capacity", action="append", default=[], metavar="RESOURCE=QUANTITY")
    add("--max-pods", type=int, default=110)
    add("--cluster-dns", action="append", default=[], metavar="ADDRESS")
    add("--cluster-domain", default="cluster.local")
    add("--cni-dir", type=Path, help="write the pods' network configuration here")
    add("--bridge", default="holdfast0", help="the pods' bridge (at most 15 characters)")
    add("--cgroup-root", default="", help="the group of all pods (default: /holdfast/NAME)")
    add("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


def _pairs(texts: list[str], flag: str) -> dict[str, str]:
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ValueError(f'{flag} "{text}": write KEY=VALUE')
        found[key] = value
    return found


def _taint(text: str) -> Taint:
    rest, colon, effect = text.rpartition(":")
    if not colon or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise ValueError(
            f'--taint "{text}": write KEY=VALUE:EFFECT'
            " with the effect NoSchedule, PreferNoSchedule or NoExecute"
        )
    key, _, value = rest.partition("=")
    return Taint(key, value, effect)


def configuration(arguments: list[str]) -> main.NodeConfig:
    """The configuration the flags ask for. Raises ValueError; wrong flags end the process."""
    given = _parser().parse_args(arguments)
    if given.hollow < 0 or given.hollow_speed <= 0:
        raise ValueError("--hollow and --hollow-speed must be positive")
    usual, speed = Timings(), given.hollow_speed
    timings = Timings(
        usual.sandbox_s / speed,
        usual.create_s / speed,
        usual.start_s / speed,
        usual.stop_s / speed,
        usual.pull_s / speed,
        usual.spread,
    )
    return main.NodeConfig(
        name=given.name,
        data=given.data_dir,
        credentials=given.credentials or given.data_dir / "tls",
        join=given.join,
        hollow=given.hollow,
        hollow_timings=timings,
        seed=given.seed,
        socket=given.socket,
        address=given.address,
        labels=_pairs(given.label, "--label"),
        taints=tuple(map(_taint, given.taint)),
        capacity=_pairs(given.capacity, "--capacity"),
        max_pods=given.max_pods,
        cluster_dns=tuple(given.cluster_dns) or ("10.96.0.10",),
        cluster_domain=given.cluster_domain,
        cni=given.cni_dir,
        bridge=given.bridge,
        cgroup_root=given.cgroup_root,
    )


async def _until_told(config: main.NodeConfig) -> None:
    task = asyncio.ensure_future(main.run(config))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


def run(arguments: list[str]) -> int:
    """Run the program; returns its exit code."""
    try:
        config = configuration(arguments)
        logs.configure("node")
        uvloop.run(_until_told(config))
    except (ApiError, ValueError) as error:
        print(f"holdfast node: {error}", file=sys.stderr)  # noqa: T201 - for who started it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
