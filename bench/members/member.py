"""One member as a process: python -m bench.members.member FOLDER ID.

FOLDER/group.json says the engine ("raft", or an etcd:// text), the cluster and every member's
address; the member's data is in FOLDER/ID. Ends with a line on standard error, by a signal, or
with the process that began it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import randbelow
from typing import Any

import grpc
import structlog
import uvloop

from bench.members import service, tls
from holdfast.api import identity
from holdfast.api.cycles import Cycles
from holdfast.api.tls import certificates
from holdfast.api.transport.server import Server
from holdfast.control.main import SWITCH_INTERVAL_S
from holdfast.control.raft.wire.transport import GrpcTransport
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.target import parse
from holdfast.control.store.raft_engine import Options, RaftEngine

GROUP = "group.json"


class Placed(GrpcTransport):
    """A transport that knows where the founders are: nobody wrote their addresses anywhere."""

    founders: Mapping[int, str] = {}

    def peers(self, addresses: Mapping[int, str]) -> None:
        """See Transport."""
        super().peers({m: one or self.founders.get(m, "") for m, one in addresses.items()})


def raft(
    folder: Path, group: dict[str, Any], member: int
) -> tuple[RaftEngine, grpc.GenericRpcHandler]:
    """A member of a group of our own, and the service of its transport."""
    addresses = {int(one): address for one, address in group["members"].items()}
    ours = tls.calling(folder, tls.member_name(member))
    transport = Placed(addresses[member], lambda: ours, _identify)
    transport.founders = addresses
    options = Options(member, tuple(addresses))
    place = folder / str(member)
    engine = RaftEngine(
        place, randbelow, cluster_id=group["cluster"], options=options, transport=transport
    )
    return engine, transport.handler()


async def _identify(context: Any) -> int:
    [pem] = context.auth_context()["x509_pem_cert"]
    return int(certificates.from_pem(pem).identity.name.removeprefix(identity.MEMBER_PREFIX), 16)


async def run(folder: Path, member: int) -> None:
    """Serve until told to end, or until the engine fails."""
    group = json.loads((folder / GROUP).read_text())
    address = group["members"][str(member)]
    server = Server()
    engine: RaftEngine | EtcdEngine
    if group["engine"] == "raft":
        engine, peers = raft(folder, group, member)
        server.add_generic_rpc_handlers([peers])
    else:
        engine = EtcdEngine(
            parse(group["engine"]), new_cluster_id=group["cluster"], name=str(member),
            endpoints=[address],
        )  # fmt: skip
    server.add_generic_rpc_handlers([service.handler(engine)])
    ended = asyncio.Event()  # set by SIGTERM; waited for below
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    cycles = Cycles()
    await engine.start()
    cycles.loaded()
    looking = asyncio.create_task(cycles.run())
    await server.listen(address, tls.serving(folder))
    failing = asyncio.create_task(engine.until_failed())
    failing.add_done_callback(lambda _: ended.set())
    await ended.wait()
    looking.cancel()
    await server.stop()
    await engine.stop()
    if not failing.cancel():
        await failing


def main() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(run(Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
