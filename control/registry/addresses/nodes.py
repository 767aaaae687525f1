"""The block of the pod range that a Node gives its pods addresses from. Pure module.

A node that comes when every block is taken is accepted without one: simulated nodes need none,
and a real agent says so in its own status.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from holdfast.api.errors import Cause, CauseReason, invalid
from holdfast.control.registry.addresses.pools import Pool
from holdfast.control.registry.addresses.ranges import Ranges
from holdfast.control.registry.drafts import Situation
from holdfast.control.store.commands import Write

POD_CIDRS = "~podcidrs"


def block_pool(ranges: Ranges) -> Pool:
    """All blocks of the pod range, one behind another."""
    size = 1 << (ranges.node_prefix - ranges.pods.prefixlen)
    step = 1 << (32 - ranges.node_prefix)
    base = int(ranges.pods.network_address)

    def name(number: int) -> str:
        return f"{IPv4Address(base + number * step)}/{ranges.node_prefix}"

    return Pool(POD_CIDRS, size, name, ordered=True)


def claims(new: Any, old: Any, situation: Situation) -> list[Write]:
    """Give a Node its block when it is created (old None), or later when it has none yet.

    Returns the writes that take it. Raises ApiError Invalid for a block that is not ours or is
    taken.
    """
    spec = new.spec
    before = "" if old is None else old.spec.podCIDR
    if before:
        if not spec.podCIDR:
            spec.podCIDR = before
            spec.podCIDRs[:] = old.spec.podCIDRs
        return []
    pool = block_pool(situation.ranges)
    if spec.podCIDR:
        _check_named(new, pool, situation)
    else:
        block = pool.choose(situation)
        if block is None:
            return []
        spec.podCIDR = block
    spec.podCIDRs[:] = [spec.podCIDR]
    return [pool.take(situation, spec.podCIDR, f"nodes {new.metadata.name}")]


def releases(old: Any, situation: Situation) -> list[Write]:
    """The writes that free the block of a deleted Node."""
    if not old.spec.podCIDR:
        return []
    return block_pool(situation.ranges).free(situation, old.spec.podCIDR)


def _check_named(new: Any, pool: Pool, situation: Situation) -> None:
    block = new.spec.podCIDR
    ranges = situation.ranges
    why = ""
    if not ranges.holds_block(block):
        why = f'"{block}" is not a /{ranges.node_prefix} block of the pod range {ranges.pods}'
    else:
        taken_by = pool.owner(situation, block)
        if taken_by:
            why = f"{block} is taken by {taken_by}"
    if why:
        cause = Cause(CauseReason.INVALID, "spec.podCIDR", why)
        raise invalid("Node", new.metadata.name, [cause])
