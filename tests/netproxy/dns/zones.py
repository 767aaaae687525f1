"""A zone with one service of each sort."""

from __future__ import annotations

from holdfast.netproxy.dns.zone import Zone
from holdfast.netproxy.picture import ENDPOINT_SLICES, SERVICES, Picture
from tests.netproxy.builders import endpoints, service

ORIGIN = "cluster.local"


def picture() -> Picture:
    made = Picture(Zone(ORIGIN, ("10.244.0.0/16", "10.96.0.0/16"), "10.96.0.10"))
    made.put(SERVICES, service("web", "10.96.1.1", ports=[("http", 80)]))
    made.put(SERVICES, service("db", "None", ports=[("sql", 5432)]))
    part = endpoints("db", "10.244.1.5", "10.244.2.6", ports=[("sql", 5432)])
    part.endpoints[0].hostname = "db-0"
    made.put(ENDPOINT_SLICES, part)
    made.put(
        ENDPOINT_SLICES,
        endpoints("db", "10.244.2.7", ports=[("sql", 5432)], ready=False, suffix="2"),
    )
    for name, target in (("outside", "example.org"), ("inside", "web.default.svc.cluster.local")):
        alias = service(name)
        alias.spec.type, alias.spec.externalName = "ExternalName", target
        made.put(SERVICES, alias)
    return made
