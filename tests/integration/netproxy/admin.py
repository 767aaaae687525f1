"""An administrator beside a real control plane, run by `test_control.py` inside node 1's namespace.

    python -m tests.integration.netproxy.admin KUBECONFIG NODE-DIRECTORY TARGET…

Joins the node, makes a Service with the first target, waits until it answers, then moves it from
target to target. Prints one JSON object: how long each move took, from the write's call to the
first connection that reached the new target, and the address.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from holdfast.api import kubeconfig
from holdfast.api.client import Client
from holdfast.api.rpc.v1 import cluster_pb2, cluster_pb2_grpc
from holdfast.api.tls import credentials, joining, tokens
from tests.netproxy.builders import endpoints, service

MOVES = 30


async def answered(address: str) -> str:
    """Who answers there now, "" for nobody."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(address, 80)
            text = (await reader.read()).decode()
            writer.close()
    except (OSError, TimeoutError):
        return ""
    return text.split()[0]


async def until_answers(address: str, target: str, most_s: float) -> float:
    begun = time.perf_counter()
    async with asyncio.timeout(most_s):
        while await answered(address) != target:  # noqa: ASYNC110 — the kernel tells nobody
            await asyncio.sleep(0.002)
    return time.perf_counter() - begun


async def joined(client: Client, directory: Path) -> None:
    stub: Any = cluster_pb2_grpc.AccessStub(client.channel)
    reply = await stub.CreateToken(cluster_pb2.CreateTokenRequest(uses=1))
    host, _, port = client.address.rpartition(":")
    target = tokens.JoinTarget(tokens.parse(reply.token), f"{host}:{int(port) + 1}")
    credentials.save(directory / "credentials", await joining.join(target, "n1"))


async def main(config: Path, directory: Path, targets: list[str]) -> None:
    names = [target.partition("=") for target in targets]
    async with Client.connect(kubeconfig.load((config,))) as client:
        await joined(client, directory)
        made = await client.create("services", service("web"), "default")
        address = made.spec.clusterIP
        resource = "endpointslices.discovery.k8s.io"
        part = endpoints("web", names[0][2])
        await client.create(resource, part, "default")
        await until_answers(address, names[0][0], 20)
        moves = []
        for move in range(MOVES):
            name, _, target = names[(move + 1) % len(names)]
            begun = time.perf_counter()
            await client.update(resource, endpoints("web", target))
            await until_answers(address, name, 5)
            moves.append(time.perf_counter() - begun)
            await asyncio.sleep(0.05)
    print(json.dumps({"address": address, "moves_s": moves}))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
