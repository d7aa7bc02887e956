"""Pod routes in the kernel: which to add, to replace and to remove on one host.

The rules come from what the kernel does: a route's place in a table is its destination and metric, `replace` exchanges
what is in that place, a second route can be appended to it, and the connected route of a worker's own pod bridge
(`proto kernel`) must stay the only one to its own pod CIDR.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from podroutes.changes import Change, HostPlan, RouteCommand
from podroutes.host_state import HostState, Link
from podroutes.network_plan import NetworkPlan, Node, PodRoute
from podroutes.routes import BOOT, DEFAULT_METRIC, DHCP, KERNEL, MULTIPATH, PROTOCOL, Lookup, Route
from podroutes.values import Family, IPNetwork, contains

_OWN_PODS = "a worker reaches its own pods through its bridge, never through a next hop"
_STALE = "no worker has this pod CIDR"
_DUPLICATE = "duplicate"
_BESIDE = "wrong next hop or device beside the right route"
_WRONG_NEXT_HOP = "wrong next hop"
_WRONG_DEVICE = "wrong device"
_MISSING = "missing"
_SEVERAL = "several next hops"

# Most machines of a cluster want the same routes.
_REMEMBERED = 1 << 14

# What a drift check calls what each reason mends.
_DRIFT_CLASSES = {
    _MISSING: "route-missing",
    _WRONG_NEXT_HOP: "route-wrong-next-hop",
    _SEVERAL: "route-wrong-next-hop",
    _WRONG_DEVICE: "route-wrong-device",
    _DUPLICATE: "route-duplicate",
    _BESIDE: "route-duplicate",
    _STALE: "route-stale",
    _OWN_PODS: "own-cidr-hijack",
}


class Device(Struct, frozen=True):
    """The device that a host's pod routes of one family use, or why there is none."""

    link: Link | None
    problem: str = ""


def find_device(plan: NetworkPlan, node: Node, state: HostState, family: Family) -> Device:
    """Find the device that owns the internal IP; the inventory's `interface` overrides it."""
    if node.interface is not None:
        link = state.links.get(node.interface)
        if link is None:
            return Device(None, f"there is no interface {node.interface}, which the inventory names (data.interface)")
    else:
        link, problem = _link_of_internal_ip(plan, node, state, family)
        if link is None:
            return Device(None, problem)
    if not link.up:
        return Device(None, f"{link.name} is down: set it up, then run this again")
    return Device(link)


def _link_of_internal_ip(plan: NetworkPlan, node: Node, state: HostState, family: Family) -> tuple[Link | None, str]:
    internal_ip = node.internal_ip(family)
    if internal_ip is not None:
        link = state.link_with(internal_ip)
        return (
            link,
            "" if link else f"no interface has the internal IP {internal_ip}; it has {_addresses(state, family)}",
        )
    network = next(network for network in plan.node_networks if network.version == family)
    links = [link for link in state.links.values() if any(contains(network, own.ip) for own in link.addresses)]
    if len(links) == 1:
        return links[0], ""
    if not links:
        return None, f"no interface has an address in the node network {network}; it has {_addresses(state, family)}"
    names = ", ".join(link.name for link in links)
    return None, f"several interfaces have an address in {network} ({names}): write data.interface in the inventory"


def _addresses(state: HostState, family: Family) -> str:
    found = [
        f"{own.ip} on {link.name}"
        for link in state.links.values()
        for own in link.addresses
        if own.ip.version == family and not own.ip.is_loopback and not own.ip.is_link_local
    ]
    return ", ".join(found) or f"no IPv{family} address"


class Wanted(Struct, frozen=True):
    """The routes that a host should have, as the kernel would show them.

    Attributes:
        routes: Sorted by destination.
        pod_routes: What each of them is in the plan, in the same order.
        lookups: What the kernel should say of the ways to their pods, in the same order.
        problems: What prevents some, a line each.
    """

    routes: tuple[Route, ...]
    pod_routes: tuple[PodRoute, ...]
    lookups: tuple[Lookup, ...]
    problems: tuple[str, ...] = ()


def wanted_routes(plan: NetworkPlan, node: Node, state: HostState) -> Wanted:
    """Compute the routes that a host should have.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read; it says which device leads to the others.
    """
    devices = {family: find_device(plan, node, state, family) for family in plan.families}
    connected = {
        route.destination: route for routes in state.routes.values() for route in routes if route.protocol == KERNEL
    }
    links = {family: device.link for family, device in devices.items() if device.link is not None}
    ordinary = {
        family
        for family, link in links.items()
        if _is_ordinary(plan, node, link, state, family=family, connected=connected)
    }
    if len(ordinary) == len(devices):
        routes, lookups = plan.ways_for(node, {family: link.name for family, link in links.items()})
        return Wanted(routes, plan.routes_for(node), lookups)
    problems = [device.problem for device in devices.values() if device.link is None]
    possible: list[tuple[PodRoute, str]] = []
    for pod_route in plan.routes_for(node):
        link = links.get(pod_route.family)
        if link is None:
            continue
        refusal = (
            ""
            if pod_route.family in ordinary
            else _refusal(pod_route, link, state, connected.get(pod_route.destination))
        )
        if refusal:
            problems.append(refusal)
        else:
            possible.append((pod_route, link.name))
    return Wanted(
        tuple(pod_route.on(dev) for pod_route, dev in possible),
        tuple(pod_route for pod_route, _ in possible),
        tuple(pod_route.lookup_on(dev) for pod_route, dev in possible),
        tuple(problems),
    )


def _is_ordinary(
    plan: NetworkPlan, node: Node, link: Link, state: HostState, *, family: Family, connected: Iterable[IPNetwork]
) -> bool:
    """Whether nothing can keep a route of a family from this host, so that not each has to be looked at.

    Every next hop lies in the node network, which preflight has seen to; so none is off a link that has all of it.
    """
    network = next(network for network in plan.node_networks if network.version == family)
    others = plan.next_hops - frozenset(node.internal_ips)
    return (
        any(contains(own.network, network) for own in link.addresses)
        and not any(own.ip in others for one in state.links.values() for own in one.addresses)
        and not any(destination in plan.destinations and destination not in node.pod_cidrs for destination in connected)
    )


def _refusal(route: PodRoute, link: Link, state: HostState, connected: Route | None) -> str:
    """Why a route can't or must not be given to this host; empty if it can.

    Args:
        route: The route.
        link: Its device here.
        state: What was read.
        connected: The kernel's own route to the same destination, if there is one.
    """
    if state.link_with(route.next_hop) is not None:
        return (
            f"{route.next_hop}, the internal IP of {route.worker}, is this host's own: is it {route.worker}? "
            "check both hosts in the inventory"
        )
    if not any(route.next_hop in own.network for own in link.addresses):
        networks = ", ".join(str(own.network) for own in link.addresses if own.ip.version == route.family)
        return (
            f"next hop {route.next_hop} ({route.worker}) is not on {link.name}'s link ({networks or 'no network'}): "
            "pod routes need all machines on one network"
        )
    if connected is not None:
        return (
            f"{route.destination}, the pod CIDR of {route.worker}, is connected here on {connected.dev}: "
            "this host's own bridge has another worker's pod CIDR"
        )
    return ""


def plan_routes(plan: NetworkPlan, node: Node, state: HostState, wanted: Wanted | None = None) -> HostPlan:
    """Plan the pod routes of one host.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        wanted: The routes that it should have, where they are computed already.
    """
    if wanted is None:
        wanted = wanted_routes(plan, node, state)
    if wanted.problems:
        return HostPlan(conflicts=wanted.problems)
    changes = tuple(_changes(plan, node, state, wanted.routes))
    changed = {change.before for change in changes}
    return HostPlan(changes, notes=tuple(_notes(plan, node, state, wanted.routes, changed)))


def _changes(plan: NetworkPlan, node: Node, state: HostState, wanted: tuple[Route, ...]) -> Iterator[Change]:
    # Routes for one type of service are left alone.
    present = [route for routes in state.routes.values() for route in routes if route.tos == ""]
    right = frozenset(wanted)
    others = _by_destination(route for route in present if route not in right)
    # Most hosts have nothing else to a pod CIDR, and then no destination need be looked up.
    contested = plan.destinations.intersection(others).difference(node.pod_cidrs)
    by_destination = _by_destination(present) if contested else {}
    there = frozenset(present)
    for route in wanted:
        if contested and route.destination in contested:
            yield from _settle(route, by_destination[route.destination])
        elif route not in there:
            yield _add(route)
    for destination, routes in others.items():
        if destination in node.pod_cidrs:
            hiding = [number for number, route in enumerate(routes) if _hides_own_pods(route)]
            yield from _removals(routes, dict.fromkeys(hiding, _OWN_PODS))
        elif destination not in contested and plan.owns(destination):
            yield from _removals(routes, dict.fromkeys(_ours(routes), _STALE))


def _ours(routes: Iterable[Route]) -> list[int]:
    return [number for number, route in enumerate(routes) if route.protocol == PROTOCOL]


def _by_destination(routes: Iterable[Route]) -> dict[IPNetwork, list[Route]]:
    grouped: dict[IPNetwork, list[Route]] = {}
    for route in routes:
        grouped.setdefault(route.destination, []).append(route)
    return grouped


def _settle(wanted: Route, existing: list[Route]) -> Iterator[Change]:
    """Make one destination have exactly the wanted route in its place; `existing` are the routes to it, one or more."""
    in_place = [route for route in existing if route.metric == wanted.metric]
    settled = next((route for route in in_place if _is_settled(route, wanted)), None)
    replaced = _replaced_by(wanted, in_place) if settled is None else None
    in_the_way = {
        number: _DUPLICATE if _same_way(route, wanted) else _BESIDE
        for number, route in enumerate(existing)
        if route is not settled and route is not replaced and _is_in_the_way(route, wanted)
    }
    removals = list(_removals(existing, in_the_way))
    if settled is not None:
        yield from removals
    elif replaced is not None and wanted.destination.version == 6 and not _has_next_hop(replaced):
        # Put back by `replace`, it would take the place of another route on the link rather than ours.
        yield from removals
        yield _put(wanted, replaced)
    else:
        yield _put(wanted, replaced)
        yield from removals


def _replaced_by(wanted: Route, in_place: list[Route]) -> Route | None:
    """The route that `ip route replace` would exchange: of IPv6 routes, the first that has a next hop (ip6_fib.c)."""
    if wanted.destination.version == 6:
        return next(filter(_has_next_hop, in_place), in_place[0] if in_place else None)
    return in_place[0] if in_place else None


def _has_next_hop(route: Route) -> bool:
    return route.via is not None or route.next_hops != ()


def _same_way(route: Route, wanted: Route) -> bool:
    return (route.kind, route.via, route.dev) == (wanted.kind, wanted.via, wanted.dev)


def _is_settled(route: Route, wanted: Route) -> bool:
    """Ours, or the same from DHCP (which would take its place back at every renewal)."""
    if route.protocol == PROTOCOL:
        return route == wanted or (route.linkdown and replace(route, linkdown=wanted.linkdown) == wanted)
    return route.protocol == DHCP and _same_way(route, wanted)


def _is_in_the_way(route: Route, wanted: Route) -> bool:
    """Whether a further route to a wanted destination has to go."""
    if route.metric == wanted.metric or route.protocol == PROTOCOL:
        return True
    if route.protocol == DHCP and route.metric > wanted.metric:
        return False  # the lease's; it comes back, and ours wins
    return not _same_way(route, wanted)


def _hides_own_pods(route: Route) -> bool:
    if route.protocol == PROTOCOL:
        return True
    if route.protocol == KERNEL or not _has_next_hop(route):
        return False
    return not (route.protocol == DHCP and route.metric > DEFAULT_METRIC[4])


def own_pod_hijacks(node: Node, state: HostState) -> tuple[Route, ...]:
    """Routes that take a worker's own pods' packets away from its bridge."""
    own = frozenset(node.pod_cidrs)
    return tuple(
        route
        for routes in state.routes.values()
        for route in routes
        if route.tos == "" and route.destination in own and _hides_own_pods(route)
    )


def _put(wanted: Route, replaced: Route | None) -> Change:
    if replaced is None:
        return _add(wanted)
    reason = _difference(replaced, wanted)
    return Change(
        "routes",
        "replace",
        str(wanted.destination),
        str(replaced),
        str(wanted),
        reason,
        (RouteCommand(f"route replace {wanted.selector}", f"route replace {replaced.selector}"),),
        _DRIFT_CLASSES.get(reason, "route-not-ours"),
    )


@lru_cache(_REMEMBERED)
def _add(wanted: Route) -> Change:
    """One change for all hosts that lack a route: a first run has as many as there are pairs of machines."""
    text = wanted.selector
    command = RouteCommand(f"route replace {text}", f"route del {text}")
    return Change("routes", "add", str(wanted.destination), "", text, _MISSING, (command,), _DRIFT_CLASSES[_MISSING])


def _difference(route: Route, wanted: Route) -> str:
    if route.kind != wanted.kind:
        return _SEVERAL if route.kind == MULTIPATH else f"a route of type {route.kind}"
    if route.via != wanted.via:
        return _WRONG_NEXT_HOP
    if route.dev != wanted.dev:
        return _WRONG_DEVICE
    if route.protocol == PROTOCOL:
        return "has options that are not ours"
    return "taken over from the boot script" if route.protocol == BOOT else f"taken over from protocol {route.protocol}"


def _removals(routes: list[Route], reasons: Mapping[int, str]) -> Iterator[Change]:
    """Remove some of the routes to one destination, so that they come back into the order that they had.

    Args:
        routes: All of them, in the kernel's order.
        reasons: Why, by the number of a route among them; the others stay.
    """
    places: dict[int, list[int]] = {}
    for number, route in enumerate(routes):
        places.setdefault(route.metric, []).append(number)
    for place in places.values():
        first_kept = next((position for position, number in enumerate(place) if number not in reasons), 0)
        for number in place[:first_kept]:
            yield _remove(routes[number], reasons[number], "prepend")
        for number in reversed(place[first_kept:]):
            if number in reasons:
                yield _remove(routes[number], reasons[number], "append")


def _remove(route: Route, reason: str, put_back: str) -> Change:
    command = RouteCommand(f"route del {route.del_selector}", f"route {put_back} {route.selector}")
    return Change(
        "routes", "remove", str(route.destination), str(route), "", reason, (command,), _DRIFT_CLASSES.get(reason, "")
    )


def _notes(
    plan: NetworkPlan, node: Node, state: HostState, wanted: tuple[Route, ...], changed: Container[str]
) -> Iterator[str]:
    for route in foreign_routes(plan, node, state):
        if str(route) not in changed:
            yield f"left alone, not ours: {route}"
    leased = [route for routes in state.routes.values() for route in routes if route.protocol == DHCP]
    ways = {route.destination: route for route in wanted} if leased else {}
    for route in leased:
        ours = ways.get(route.destination)
        if ours is None or str(route) in changed:
            continue
        if (route.via, route.dev) != (ours.via, ours.dev):
            yield f"DHCP hands out another next hop; ours wins by its metric: {route}"


def foreign_routes(plan: NetworkPlan, node: Node, state: HostState) -> tuple[Route, ...]:
    """Routes inside the cluster's range, to no pod CIDR that this host should have a route to, that are not ours."""
    return tuple(
        route
        for routes in state.routes.values()
        for route in routes
        if route.protocol not in (KERNEL, PROTOCOL)
        and route.destination not in plan.destinations
        and route.destination not in node.pod_cidrs
        and plan.owns(route.destination)
    )


def unmet_lookups(plan: NetworkPlan, node: Node, state: HostState, wanted: Wanted | None = None) -> tuple[str, ...]:
    """What `shadowed_routes` finds, as lines for a person."""
    return tuple(message for _, message in shadowed_routes(plan, node, state, wanted))


def shadowed_routes(
    plan: NetworkPlan, node: Node, state: HostState, wanted: Wanted | None = None
) -> Iterator[tuple[PodRoute, str]]:
    """Pod CIDRs whose packets the kernel sends another way than the plan's, although the main table is right.

    Policy rules, other tables and more specific routes do that; they are somebody else's.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        wanted: The routes that it should have, where they are computed already.
    """
    if wanted is None:
        wanted = wanted_routes(plan, node, state)
    # Compared whole: tuples and Structs do that in C, and addresses do it in Python.
    if wanted.lookups == tuple(state.lookups.values()):
        return
    for pod_route, route, expected in zip(wanted.pod_routes, wanted.routes, wanted.lookups, strict=True):
        lookup = state.lookups.get(pod_route.probe)
        if lookup == expected:
            continue
        if lookup is None:
            yield pod_route, f"the kernel finds no way to {pod_route.probe} ({pod_route.worker}'s pods)"
        else:
            way = f"via {lookup.via} dev {lookup.dev}" if lookup.via is not None else f"dev {lookup.dev}"
            yield (
                pod_route,
                (
                    f"the kernel sends packets for {pod_route.probe} ({pod_route.worker}'s pods) {way}: "
                    f"a more specific route or a policy rule is in front of {route}"
                ),
            )


def plan_routes_removal(plan: NetworkPlan, state: HostState) -> HostPlan:
    """Plan to remove every route of ours, and nothing else."""
    by_place: dict[tuple[IPNetwork, str], list[Route]] = {}
    for routes in state.routes.values():
        for route in routes:
            by_place.setdefault((route.destination, route.tos), []).append(route)
    changes: list[Change] = []
    for (destination, _), routes_there in by_place.items():
        if plan.owns(destination):
            changes += _removals(routes_there, dict.fromkeys(_ours(routes_there), "this software put it there"))
    return HostPlan(tuple(changes))
