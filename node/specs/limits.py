"""Requests and limits as the kernel's control groups take them. Pure module.

Shares and quota follow the kubelet: 1024 shares a CPU (at least 2), a quota per 100 ms period (at
least 1 ms); a request that is not set takes the limit's place.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.api import quantity
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects.requests import qos_class
from holdfast.runtime.interface import Resources

SHARES_A_CPU = 1024
SHARES_MIN = 2
PERIOD_US = 100_000
QUOTA_MIN_US = 1_000
_GUARANTEED_SCORE = -997
_BEST_EFFORT_SCORE = 1000


class PodLimits(NamedTuple):
    """What the pod's own group is set to. 0 = no limit."""

    cpu_shares: int
    cpu_quota_us: int
    memory_limit_bytes: int


def _milli(table: core.ResourceRequirements, bound: str) -> int:
    found = (table.limits if bound == "limits" else table.requests).get("cpu")
    return quantity.to_milli(found.string) if found is not None else 0


def _bytes(table: core.ResourceRequirements, bound: str) -> int:
    found = (table.limits if bound == "limits" else table.requests).get("memory")
    return quantity.to_int(found.string) if found is not None else 0


def _shares(milli: int) -> int:
    return max(SHARES_MIN, milli * SHARES_A_CPU // 1000)


def _quota_us(milli: int) -> int:
    return max(QUOTA_MIN_US, milli * PERIOD_US // 1000) if milli else 0


def of_container(pod: core.Pod, container: core.Container, memory_bytes: int) -> Resources:
    """The limits of one container. memory_bytes: the machine's, for the out-of-memory score."""
    table = container.resources
    cpu_limit = _milli(table, "limits")
    request = _milli(table, "requests") or cpu_limit
    quota_us = _quota_us(cpu_limit)
    return Resources(
        cpu_shares=_shares(request),
        cpu_quota_us=quota_us,
        cpu_period_us=PERIOD_US if quota_us else 0,
        memory_limit_bytes=_bytes(table, "limits"),
        oom_score_adj=_score(pod, _bytes(table, "requests"), memory_bytes),
    )


def _score(pod: core.Pod, request_bytes: int, memory_bytes: int) -> int:
    """Who is killed first when memory runs out (the kubelet's GetContainerOOMScoreAdjust)."""
    quality = pod.status.qosClass or qos_class(pod)
    if quality == "Guaranteed":
        return _GUARANTEED_SCORE
    if quality == "BestEffort" or memory_bytes <= 0:
        return _BEST_EFFORT_SCORE
    score = 1000 - 1000 * request_bytes // memory_bytes
    return min(max(score, 3), 999)


def of_pod(pod: core.Pod) -> PodLimits:
    """The limits of the pod's own group, in which its containers' groups are.

    A pod has a limit when every container of it has one: their sum, or an init container's, if
    that is larger.
    """
    containers, inits = pod.spec.containers, pod.spec.initContainers
    requests = [_milli(item.resources, "requests") for item in containers]
    init_requests = [_milli(item.resources, "requests") for item in inits]
    milli = max([sum(requests), *init_requests])
    cpu, memory = [], []
    for item in (*containers, *inits):
        cpu.append(_milli(item.resources, "limits"))
        memory.append(_bytes(item.resources, "limits"))
    count = len(containers)
    return PodLimits(
        _shares(milli),
        _quota_us(max(sum(cpu[:count]), *cpu[count:], 0)) if all(cpu) else 0,
        max(sum(memory[:count]), *memory[count:], 0) if all(memory) else 0,
    )
