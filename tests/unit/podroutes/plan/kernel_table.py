"""A model of the kernel's routing table, as measured on Linux 6.x: what `ip route` commands make of a list of routes.

A route's place is its destination, type of service and metric. IPv4 (fib_trie.c): `replace` exchanges the first route
in the place, `append` and `prepend` refuse one that is there already, `del` removes the first that has all that it
names, metric 0 being any. IPv6 (ip6_fib.c): `replace` of a route with a next hop prefers one that has one too,
`prepend` is `append`, two routes with next hops in one place would become one with several,
`del` without a next hop takes one that has one too, unless the next hop is `::`. One with a next hop object counts as
one without a next hop for `replace`, and never becomes one of several.
"""

import re

from podroutes.addresses import Family, IPAddress, parse_address, parse_network
from podroutes.host.routes import NextHop, Route

# The next hop object of each family: its number and where it leads.
NEXT_HOP_OBJECTS: dict[Family, tuple[int, IPAddress, str]] = {
    4: (12, parse_address("10.240.0.99"), "eth0"),
    6: (16, parse_address("fd00:240::99"), "eth0"),
}
_PROTOCOLS = {"boot": "3", "static": "4", "kernel": "2", "dhcp": "16"}


class Refused(Exception):  # noqa: N818  # what the kernel does
    """RTNETLINK answers: no."""


class KernelTable:
    """Routes in the kernel's order: by destination, metric, and then as they came."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes: list[Route] = []
        for item in routes:
            self.run(f"route append {item.selector}")

    def run(self, line: str) -> None:
        """Run a line of `ip -batch`.

        Raises:
            Refused: The kernel would not do it.
        """
        words = line.split()
        assert words[0] == "route", line
        route = parse_selector(words[2:])
        {"replace": self._replace, "append": self._append, "prepend": self._prepend, "del": self._delete}[words[1]](
            route
        )

    def _place(self, route: Route) -> list[int]:
        place = (route.destination, route.tos, route.metric)
        return [n for n, item in enumerate(self.routes) if (item.destination, item.tos, item.metric) == place]

    def _replace(self, route: Route) -> None:
        place = self._place(route)
        if not place:
            self._insert(route, last=True)
            return
        first = place[0]
        if route.destination.version == 6:
            alike = [n for n in place if _may_become_several(self.routes[n]) == _may_become_several(route)]
            first = alike[0] if alike else first
        elif route in [self.routes[n] for n in place[1:]]:
            raise Refused(f"File exists: {route}")
        self.routes[first] = route

    def _append(self, route: Route) -> None:
        self._add(route, last=True)

    def _prepend(self, route: Route) -> None:
        self._add(route, last=route.destination.version == 6)

    def _add(self, route: Route, *, last: bool) -> None:
        there = [self.routes[n] for n in self._place(route)]
        if route in there:
            raise Refused(f"File exists: {route}")
        if route.destination.version == 6 and _may_become_several(route) and any(map(_may_become_several, there)):
            raise AssertionError(f"would become one route with several next hops: {route}, {there}")
        self._insert(route, last=last)

    def _insert(self, route: Route, *, last: bool) -> None:
        key = _order(route)
        numbers = [n for n, item in enumerate(self.routes) if _order(item) < key or (last and _order(item) == key)]
        self.routes.insert(numbers[-1] + 1 if numbers else 0, route)

    def _delete(self, route: Route) -> None:
        for number, item in enumerate(self.routes):
            if _matches(item, route):
                del self.routes[number]
                return
        raise Refused(f"No such process: {route}")


def _matches(item: Route, asked: Route) -> bool:
    return (
        (item.destination, item.tos) == (asked.destination, asked.tos)
        and (asked.metric in (0, item.metric))
        and (asked.protocol in (0, item.protocol))
        and (asked.via is None or (not item.has_next_hop if asked.via.is_unspecified else item.via == asked.via))
        and (asked.dev is None or item.dev == asked.dev)
        and asked.nhid == item.nhid
        and (asked.options in ((), item.options) or item.destination.version == 6)
        and asked.next_hops in ((), item.next_hops)
        # IPv6 knows no scopes, and its `del` looks at no type.
        and (item.destination.version == 6 or asked.kind in ("unicast", item.kind))
        and (item.destination.version == 6 or asked.scope in (0, item.scope))
    )


def _may_become_several(route: Route) -> bool:
    return route.has_next_hop and route.nhid is None


def _order(route: Route) -> tuple[str, str, int]:
    return (str(route.destination), route.tos, route.metric)


def parse_selector(words: list[str]) -> Route:
    """A route from what `ip route add` takes."""
    single, *hops = " ".join(words).split(" nexthop ")
    kind, _, rest = single.partition(" ") if single.split()[0].isalpha() else ("unicast", "", single)
    options = tuple(re.findall(r"(?:mtu lock|advmss) [0-9]+", rest))
    destination, *pairs = re.sub(r" (?:mtu lock|advmss) [0-9]+", "", rest).split()
    values = dict(zip(pairs[::2], pairs[1::2], strict=True))
    metric = int(values.get("metric", "0"))
    network = parse_network(destination)
    via = parse_address(values["via"]) if "via" in values else None
    dev = values.get("dev")
    nhid = int(values["nhid"]) if "nhid" in values else None
    if nhid is not None:
        assert via is None
        assert dev is None
        number, via, dev = NEXT_HOP_OBJECTS[6 if network.version == 6 else 4]
        assert nhid == number
    return Route(
        network,
        via,
        dev,
        int(_PROTOCOLS.get(values["proto"], values["proto"])),
        metric,
        kind="multipath" if hops else kind,
        tos=values.get("tos", ""),
        next_hops=tuple(_next_hop(hop.split()) for hop in hops),
        scope={"link": 253, "global": 0}[values.get("scope", "global")],
        nhid=nhid,
        options=options,
    )


def _next_hop(words: list[str]) -> NextHop:
    via, _, address, dev, device, weight, number = words
    assert (via, dev, weight) == ("via", "dev", "weight")
    return NextHop(parse_address(address), device, int(number))
