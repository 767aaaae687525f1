"""Routes and the DNS address of this machine, over netlink.

pyroute2's sync form cannot run on a running event loop, so each call opens its socket in a worker
thread. Ours are the routes of one protocol number, so nothing else is ever touched; where a
foreign route stands in the way, that is said and left.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from holdfast.netproxy.routes.wanted import Route

PROTOCOL = 72
"""The number our routes carry (rtm_protocol; those below 16 are the kernel's own names)."""

MAIN_TABLE = 254
SCOPE_LINK, SCOPE_HOST = 253, 254
RTN_UNICAST = 1


async def apply(wanted: frozenset[Route]) -> list[str]:
    """Make our routes equal to those wanted. Returns what could not be done, one sentence each.

    Raises OSError when netlink itself is not to be had.
    """
    return await asyncio.to_thread(_apply, wanted)


async def add_address(address: str) -> None:
    """Give the loopback interface an address, and set it up. Raises OSError."""
    await asyncio.to_thread(_add_address, address)


async def remove(address: str) -> None:
    """Take away every route of ours, and the address ("" = none). Raises OSError."""
    await asyncio.to_thread(_remove, address)


def _apply(wanted: frozenset[Route]) -> list[str]:
    problems = []
    with IPRoute() as netlink:
        links = _links_by_address(netlink)
        there = {_read(message): message for message in _ours(netlink)}
        keys = {}
        for route in sorted(wanted):
            if route.gateway:
                keys[route.destination, route.gateway, "", 0] = route
            elif route.source in links:
                keys[route.destination, "", route.source, links[route.source]] = route
            else:
                problems.append(f"no interface has the address {route.source} of this node")
        for key, message in there.items():
            # A way by a gateway is told apart from others by gateway, not by its interface.
            if key not in keys:
                _delete(netlink, message)
        for key, route in keys.items():
            if key not in there:
                problems += _add(netlink, route, key[3])
    return problems


def _ours(netlink: Any) -> list[Any]:
    return [
        message
        for message in netlink.route("dump", family=socket.AF_INET, table=MAIN_TABLE)
        if message["proto"] == PROTOCOL
    ]


def _read(message: Any) -> tuple[str, str, str, int]:
    """(destination, gateway, source, interface); the last two only where there is no gateway."""
    destination = f"{message.get('dst')}/{message['dst_len']}"
    gateway = message.get("gateway") or ""
    if gateway:
        return destination, gateway, "", 0
    return destination, "", message.get("prefsrc") or "", message.get("oif") or 0


def _links_by_address(netlink: Any) -> dict[str, int]:
    return {
        message.get("local") or message.get("address"): message["index"]
        for message in netlink.addr("dump", family=socket.AF_INET)
    }


def _add(netlink: Any, route: Route, link: int) -> list[str]:
    fields: dict[str, Any] = {"dst": route.destination, "proto": PROTOCOL, "table": MAIN_TABLE}
    if route.gateway:
        fields["gateway"] = route.gateway
    else:
        fields |= {"oif": link, "prefsrc": route.source, "scope": SCOPE_LINK}
    try:
        netlink.route("add", **fields)
    except NetlinkError as error:
        way = f" via {route.gateway}" if route.gateway else ""
        return [f"no route to {route.destination}{way}: {_explained(error)}"]
    return []


def _explained(error: NetlinkError) -> str:
    """The kernel's number in words: 17 and 101 are the two that a network's owner can mend."""
    return {
        17: "another program has set a route to it",
        101: "the gateway is not on a network of this machine",
    }.get(error.code, str(error))


def _delete(netlink: Any, message: Any) -> None:
    fields: dict[str, Any] = {
        "dst": f"{message.get('dst')}/{message['dst_len']}",
        "proto": PROTOCOL,
        "table": MAIN_TABLE,
        "scope": message["scope"],
        "type": RTN_UNICAST,
    }
    if message.get("gateway"):
        fields["gateway"] = message.get("gateway")
    if message.get("oif"):
        fields["oif"] = message.get("oif")
    try:
        netlink.route("del", **fields)
    except NetlinkError as error:
        if error.code != 3:  # ESRCH: it went by itself, with its interface
            raise


def _loopback(netlink: Any) -> int:
    return int(netlink.link_lookup(ifname="lo")[0])


def _add_address(address: str) -> None:
    with IPRoute() as netlink:
        lo = _loopback(netlink)
        netlink.link("set", index=lo, state="up")
        if address not in _links_by_address(netlink):
            # Scope host: never chosen as the source of a packet that leaves.
            netlink.addr("add", index=lo, address=address, prefixlen=32, scope=SCOPE_HOST)


def _remove(address: str) -> None:
    with IPRoute() as netlink:
        for message in _ours(netlink):
            _delete(netlink, message)
        lo = _loopback(netlink)
        if address and _links_by_address(netlink).get(address) == lo:
            netlink.addr("del", index=lo, address=address, prefixlen=32)
