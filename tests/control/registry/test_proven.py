"""Pods that share a validation are stored as if each had been checked alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from tests.control.registry.world import pod, world


def _pod(name: str, value: str = "1", argument: str = "-v") -> core.Pod:
    made = pod(name)
    container = made.spec.containers[0]
    container.command.append("/bin/run")
    container.args.append(argument)
    container.env.add(name="PLAIN", value=value)
    container.env.add(name="EMPTY")
    container.env.add(name="IP").valueFrom.fieldRef.fieldPath = "status.podIP"
    made.spec.initContainers.add(name="first", image="i:1", args=[argument, argument])
    return made


async def _stored(path: Path, *pods: core.Pod) -> bytes:
    """The spec and status of the last of these, each created after the one before."""
    async with world(path) as here:
        for one in pods:
            entry = await here.create("pods", one)
    pair = core.Pod(spec=entry.message.spec, status=entry.message.status)
    return pair.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "second",
    [
        _pod("b"),
        _pod("b", value="2"),
        _pod("b", argument="--other"),
        _pod("b", value=""),
        _pod("b", value="x", argument=""),
    ],
)
async def test_the_second_is_stored_as_if_it_were_the_first(
    tmp_path: Path, second: core.Pod
) -> None:
    alone = await _stored(tmp_path / "alone", second)
    assert await _stored(tmp_path / "after", _pod("a"), second) == alone
    assert await _stored(tmp_path / "twice", _pod("a"), _pod("c", value="3"), second) == alone


async def test_what_a_rule_reads_is_read(tmp_path: Path) -> None:
    broken = _pod("b", value="2")
    broken.spec.containers[0].env[2].value = "both"
    async with world(tmp_path) as here:
        await here.create("pods", _pod("a"))
        with pytest.raises(ApiError) as refused:
            await here.create("pods", broken)
    assert refused.value.reason is Reason.INVALID
    assert refused.value.causes[0].field == "spec.containers[0].env[2].valueFrom"
