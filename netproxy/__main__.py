"""`holdfast netproxy`: its flags, its log, its end.

SIGTERM and SIGINT cancel the program, which then leaves rules and routes in place. A mistake of
the caller is one sentence on standard error and exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import uvloop

from holdfast.api import logs
from holdfast.api.errors import ApiError
from holdfast.netproxy.main import NetproxyConfig, cleanup, run

DEFAULTS = NetproxyConfig("", Path(), Path())


def parser() -> argparse.ArgumentParser:
    """The flags."""
    flags = argparse.ArgumentParser(
        "holdfast netproxy", description="Service addresses, cluster DNS and pod routes."
    )
    add = flags.add_argument
    add("--name", required=True, help='this machine\'s node; "" when it is none')
    add("--dir", required=True, type=Path, help="directory of this node's state")
    add("--credentials", type=Path, help="credentials directory (default: DIR/credentials)")
    add("--node-ip", default="", help="this node's address (default: as the node says)")
    add("--cluster-cidr", default=DEFAULTS.cluster_cidr, help="range of all pods")
    add("--service-cidr", default=DEFAULTS.service_cidr, help="range of all services")
    add("--dns", default=DEFAULTS.dns_address, help='address of cluster DNS; "" for none')
    add("--zone", default=DEFAULTS.zone, help="domain of the cluster")
    add("--upstream", action="append", default=[], help="DNS server for other names; repeatable")
    add("--log-level", default="info", help="debug, info, warning or error")
    add("--cleanup", action="store_true", help="remove rules, routes and addresses, then end")
    return flags


def config_of(flags: argparse.Namespace) -> NetproxyConfig:
    """The config that parsed flags mean."""
    return NetproxyConfig(
        name=flags.name,
        directory=flags.dir,
        credentials=flags.credentials or flags.dir / "credentials",
        node_ip=flags.node_ip,
        cluster_cidr=flags.cluster_cidr,
        service_cidr=flags.service_cidr,
        dns_address=flags.dns,
        zone=flags.zone,
        upstreams=tuple(flags.upstream),
    )


async def _until_signal(config: NetproxyConfig) -> None:
    program = asyncio.ensure_future(run(config))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, program.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await program


def main(arguments: list[str]) -> int:
    """Run it. Returns the exit code."""
    flags = parser().parse_args(arguments)
    config = config_of(flags)
    try:
        logs.configure("netproxy", flags.log_level)
        uvloop.run(cleanup(config) if flags.cleanup else _until_signal(config))
    except (ApiError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
