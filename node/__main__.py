"""`python -m holdfast.node`: flags to a NodeConfig, then `main.run` on uvloop until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from socket import gethostname

import uvloop

from holdfast.api import logs
from holdfast.api.errors import ApiError
from holdfast.node import main
from holdfast.node.uplink.node_object import Taint
from holdfast.runtime.hollow import Timings

DIRECTORY = Path("/var/lib/holdfast/node")
HOLLOW_NAME = "hollow"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="holdfast node", description="Run a node agent.")
    add = parser.add_argument
    add("--name", default="", help="the node's name (default: the machine's)")
    add("--dir", type=Path, default=DIRECTORY, help=f"everything it keeps (default: {DIRECTORY})")
    add("--join", default="", metavar="TOKEN@HOST[:PORT]", help="join this cluster first")
    add("--join-file", type=Path, metavar="FILE", help="the token to join with, from a file")
    add("--server", default="", metavar="HOST[:PORT]", help="where to join with --join-file")
    add("--credentials", type=Path, help="the node's certificate (default: DIR/credentials)")
    add("--hollow", type=int, default=0, metavar="N", help="N simulated nodes, NAME-0 …")
    add("--hollow-speed", type=float, default=1.0, metavar="X", help="how many times faster")
    add("--seed", type=int, help="of the simulated nodes' randomness")
    add("--containerd", type=Path, help="its socket (default: DIR/containerd/containerd.sock)")
    add("--node-ip", default="", help="the node's address (default: found out)")
    add("--label", action="append", default=[], metavar="KEY=VALUE")
    add("--taint", action="append", default=[], metavar="KEY[=VALUE]:EFFECT")
    add("--capacity", action="append", default=[], metavar="RESOURCE=QUANTITY")
    add("--max-pods", type=int, default=110)
    add("--cluster-dns", action="append", default=[], metavar="ADDRESS")
    add("--cluster-domain", default="cluster.local")
    add("--cni-dir", type=Path, help="write the pods' network here (default: beside the socket)")
    add("--bridge", default="holdfast-pods", help="the pods' bridge (at most 15 characters)")
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


def _join_of(path: Path | None) -> str:
    """The target in --join-file. A file that is gone says nothing: the node may have joined."""
    return path.read_text().strip() if path is not None and path.exists() else ""


def _taint(text: str) -> Taint:
    rest, colon, effect = text.rpartition(":")
    if not colon or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise ValueError(
            f'--taint "{text}": write KEY=VALUE:EFFECT'
            " with the effect NoSchedule, PreferNoSchedule or NoExecute"
        )
    key, _, value = rest.partition("=")
    return Taint(key, value, effect)


def _join(given: argparse.Namespace) -> str:
    """TOKEN@HOST, "" when there is nothing to join with."""
    if given.join_file is None:
        return str(given.join)
    if not given.server:
        raise ValueError("--join-file needs --server HOST[:PORT]")
    if not given.join_file.exists():
        return ""
    return f"{given.join_file.read_text().strip()}@{given.server}"


def configuration(arguments: list[str]) -> tuple[main.NodeConfig, str]:
    """The configuration the flags ask for, and the log level.

    Raises ValueError; flags that do not exist end the process.
    """
    given = _parser().parse_args(arguments)
    if given.hollow < 0 or given.hollow_speed <= 0:
        raise ValueError("--hollow and --hollow-speed must be positive")
    socket = given.containerd or given.dir / "containerd" / "containerd.sock"
    cni = given.cni_dir or socket.parent / "net.d"
    usual = HOLLOW_NAME if given.hollow else gethostname().lower()
    config = main.NodeConfig(
        name=given.name or usual,
        directory=given.dir,
        credentials=given.credentials or given.dir / "credentials",
        join=_join(given),
        hollow=given.hollow,
        hollow_timings=Timings().faster(given.hollow_speed),
        seed=given.seed,
        socket=socket,
        address=given.node_ip,
        labels=_pairs(given.label, "--label"),
        taints=tuple(map(_taint, given.taint)),
        capacity=_pairs(given.capacity, "--capacity"),
        max_pods=given.max_pods,
        cluster_dns=tuple(given.cluster_dns) or ("10.96.0.10",),
        cluster_domain=given.cluster_domain,
        cni=cni if given.cni_dir or cni.is_dir() else None,
        bridge=given.bridge,
        cgroup_root=given.cgroup_root,
    )
    return config, given.log_level


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
        config, level = configuration(arguments)
        logs.configure("node", level)
        uvloop.run(_until_told(config))
    except (ApiError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
