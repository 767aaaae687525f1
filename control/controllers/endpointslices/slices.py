"""From endpoints wanted and slices that exist to the fewest slices changed. Pure module.

Endpoints with the same ports and the same family of address share slices of at most 100. An
endpoint stays in the slice it is in; new ones go first into slices that change anyway, then into
any with room, then into new slices. What becomes empty is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

ENDPOINTS_MAX = 100


class Port(NamedTuple):
    """One port of a slice."""

    name: str
    protocol: str
    number: int
    application: str = ""


class Group(NamedTuple):
    """What the endpoints of one slice share. family: "IPv4" or "IPv6"."""

    family: str
    ports: tuple[Port, ...]


class Endpoint(NamedTuple):
    """One endpoint, as a slice says it."""

    address: str
    ready: bool
    serving: bool
    terminating: bool
    node: str
    pod: str
    uid: str
    hostname: str = ""


class Existing(NamedTuple):
    """A slice that exists. endpoints: by pod name."""

    name: str
    group: Group
    endpoints: dict[str, Endpoint]


@dataclass(slots=True)
class Plan:
    """What to write. updated: name of the slice → all its endpoints."""

    created: list[tuple[Group, list[Endpoint]]] = field(default_factory=list)
    updated: dict[str, list[Endpoint]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)


def plan(wanted: dict[Group, dict[str, Endpoint]], existing: Iterable[Existing]) -> Plan:
    """The fewest changes that make the slices say what is wanted. wanted: by group, by pod."""
    made = Plan()
    by_group: dict[Group, list[Existing]] = {group: [] for group in wanted}
    for each in existing:
        if each.group in by_group:
            by_group[each.group].append(each)
        else:
            made.deleted.append(each.name)
    for group, endpoints in wanted.items():
        _plan_group(made, group, endpoints, by_group[group])
    return made


def _plan_group(
    made: Plan, group: Group, wanted: dict[str, Endpoint], existing: Sequence[Existing]
) -> None:
    left = dict(wanted)
    kept: dict[str, dict[str, Endpoint]] = {}
    changed: dict[str, None] = {}
    for each in existing:
        stay = {pod: left.pop(pod) for pod in each.endpoints if pod in left}
        kept[each.name] = stay
        if stay != each.endpoints:
            changed[each.name] = None
    unchanged = [name for name in kept if name not in changed]
    for name in (*changed, *unchanged):
        room = ENDPOINTS_MAX - len(kept[name])
        if left and room > 0:
            for pod in list(left)[:room]:
                kept[name][pod] = left.pop(pod)
            changed[name] = None
    for name in changed:
        if kept[name]:
            made.updated[name] = list(kept[name].values())
        else:
            made.deleted.append(name)
    pods = list(left.values())
    for start in range(0, len(pods), ENDPOINTS_MAX):
        made.created.append((group, pods[start : start + ENDPOINTS_MAX]))
