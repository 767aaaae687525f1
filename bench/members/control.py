"""Control nodes of a cluster that `holdfast up` runs, as `bench.failover` kills and asks them."""

from __future__ import annotations

import dataclasses
from typing import Any

import psutil

from bench.cluster import Cluster
from holdfast.api import kubeconfig
from holdfast.api.client import Client
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Reason

STATUS_S = 5.0
LEVEL_WITHIN = 200
"""A member is level when it lacks at most the writes of a second."""
TRIED_AGAIN = {Reason.UNAVAILABLE, Reason.NOT_LEADER, Reason.UNKNOWN_OUTCOME, Reason.TIMEOUT}


class ControlNodes:
    """The control nodes, and a client of them. They are started again by their supervisor."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._endpoint = kubeconfig.load((cluster.kubeconfig,))
        self._client = Client.connect(self._endpoint)

    async def put(self, name: str, value: bytes) -> None:
        """One object; returns when it is acknowledged, as new or as there already."""
        message = core_pb2.ConfigMap()
        message.metadata.name, message.metadata.namespace = name, "default"
        message.binaryData["value"] = value
        while True:
            try:
                await self._client.create("configmaps", message)
            except ApiError as error:
                if error.reason in TRIED_AGAIN:
                    continue
                if error.reason is not Reason.ALREADY_EXISTS:
                    raise
            return

    async def leader(self) -> str:
        """The name of the one that leads; waits for it."""
        while True:
            for member in (await self._client.status(STATUS_S)).members:
                if member.leader:
                    return str(member.name)

    def kill(self, member: str) -> None:
        """SIGKILL."""
        process = self._process(member)
        assert process, f"{member} does not run"
        process.kill()

    def revive(self, member: str) -> None:
        """The supervisor does it."""

    async def level(self, member: str) -> bool:
        """Whether a member runs and has what the leader has."""
        if self._process(member) is None:
            return False
        try:
            newest = await self._client.status(STATUS_S)
            endpoints = next(tuple(one.endpoints) for one in newest.members if one.name == member)
            there = dataclasses.replace(self._endpoint, addresses=endpoints)
            async with Client.connect(there) as client:
                own = await client.status(STATUS_S)
        except ApiError:
            return False
        return bool(own.revision >= newest.revision - LEVEL_WITHIN)

    async def names(self) -> set[str]:
        """Every key that is there now."""
        listed = await self._client.list("configmaps", "default")
        return {one.metadata.name for one in listed.objects}

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()

    def _process(self, member: str) -> psutil.Process | None:
        for process in psutil.process_iter(["cmdline"]):
            words: list[Any] = process.info["cmdline"] or []
            ours = any(str(self._cluster.data_dir) in word for word in words)
            if ours and "holdfast.control" in words and _named(words, member):
                return process
        return None


def _named(words: list[str], member: str) -> bool:
    return "--name" in words and words[words.index("--name") + 1] == member
