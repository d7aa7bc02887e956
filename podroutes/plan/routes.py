"""Pod routes in the kernel: which to add, to replace and to remove on one host.

The rules come from what the kernel does: a route's place in a table is its destination and metric, `replace` exchanges
what is in that place, a second route can be appended to it, and the connected route of a worker's own pod bridge
(`proto kernel`) must stay the only one to its own pod CIDR.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from podroutes.addresses import Family, IPNetwork, contains, sort_key
from podroutes.host.changes import Change, HostPlan, RouteCommand
from podroutes.host.routes import BOOT, DEFAULT_METRIC, DHCP, KERNEL, LINK_SCOPE, MULTIPATH, PROTOCOL, Lookup, Route
from podroutes.host.state import HostState, Link
from podroutes.inventory.network_plan import NetworkPlan, Node, PodRoute

_OWN_PODS = "a worker reaches its own pods through its bridge, never through a next hop"
_STALE = "no worker has this pod CIDR"
_DUPLICATE = "duplicate"
_BESIDE = "wrong next hop or device beside the right route"
_WRONG_NEXT_HOP = "wrong next hop"
_WRONG_DEVICE = "wrong device"
_MISSING = "missing"
_SEVERAL = "several next hops"
_SOME_PACKETS = "for some packets only"
_NO_NEXT_HOP = "its worker's internal IP is not on the link"
# As many routes as a person reads one by one; of more, some are examples.
FEW = 5
_EXAMPLES = 3

# Most machines of a cluster want the same routes.
_REMEMBERED = 1 << 14

# What a drift check calls what each reason fixes.
_DRIFT_CLASSES = {
    _MISSING: "route-missing",
    _WRONG_NEXT_HOP: "route-wrong-next-hop",
    _SEVERAL: "route-wrong-next-hop",
    _WRONG_DEVICE: "route-wrong-device",
    _DUPLICATE: "route-duplicate",
    _BESIDE: "route-duplicate",
    _SOME_PACKETS: "route-duplicate",
    _NO_NEXT_HOP: "route-wrong-next-hop",
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


class DesiredRoutes(Struct, frozen=True):
    """The routes that a host should have, as the kernel would show them.

    Attributes:
        routes: Sorted by destination.
        pod_routes: What each of them is in the plan, in the same order.
        lookups: What the kernel should say of the ways to their pods, in the same order.
        problems: What contradicts the plan so that the whole host is in doubt, a line each; nothing is changed then.
        impossible: Why there can be no route to a pod CIDR, a line each; the other routes are as they should be.
    """

    routes: tuple[Route, ...]
    pod_routes: tuple[PodRoute, ...]
    lookups: tuple[Lookup, ...]
    problems: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()


class Foreign(Struct, frozen=True):
    """Others' routes inside the cluster's range, but for those that provisioning replaces.

    Attributes:
        left: Those that may be there: they take no packets of a pod CIDR another way than the plan's.
        ways: By pod CIDR, those that take some of its packets another way: they are more specific, or for some packets
            only. They are not ours to remove.
    """

    left: tuple[Route, ...]
    ways: Mapping[PodRoute, tuple[Route, ...]]


def desired_routes(plan: NetworkPlan, node: Node, state: HostState) -> DesiredRoutes:
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
        return DesiredRoutes(routes, plan.routes_for(node), lookups)
    problems = [device.problem for device in devices.values() if device.link is None]
    possible: list[tuple[PodRoute, str]] = []
    impossible: list[str] = []
    for family, link in links.items():
        on_link = () if family in ordinary else _on_link(link, state, family)
        reachable: list[tuple[PodRoute, str]] = []
        off_link: list[str] = []
        for route in plan.routes_for(node):
            if route.family != family:
                continue
            if family in ordinary or any(route.next_hop in network for network in on_link):
                reachable.append((route, link.name))
            else:
                off_link.append(_off_link(route, link, on_link))
            if family not in ordinary and (text := _contradiction(route, state, connected.get(route.destination))):
                problems.append(text)
        # Without a next hop at all, it is rather the device, or its address, that is not the right one.
        (impossible if reachable else problems).extend(off_link)
        possible += reachable
    possible.sort(key=lambda one: sort_key(one[0].destination))
    return DesiredRoutes(
        tuple(pod_route.on(dev) for pod_route, dev in possible),
        tuple(pod_route for pod_route, _ in possible),
        tuple(pod_route.lookup_on(dev) for pod_route, dev in possible),
        tuple(problems),
        tuple(impossible),
    )


def _on_link(link: Link, state: HostState, family: Family) -> tuple[IPNetwork, ...]:
    """The networks in which the kernel takes next hops on a device: those of its addresses and of its on-link routes.

    A cloud that gives addresses with a /32 mask gives such routes with them (fib_semantics.c, fib_check_nh).
    """
    own = [own.network for own in link.addresses if own.ip.version == family]
    routed = [
        route.destination
        for route in state.routes.get(family, ())
        if route.dev == link.name
        and route.kind == "unicast"
        and not route.has_next_hop
        # IPv6 has no scopes: what has no next hop is on the link.
        and (family == 6 or route.scope == LINK_SCOPE)
    ]
    return tuple(dict.fromkeys([*own, *routed]))


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


def _off_link(route: PodRoute, link: Link, on_link: Sequence[IPNetwork]) -> str:
    networks = some_of(on_link, ", ") or "no network"
    return (
        f"next hop {route.next_hop} ({route.worker}) is not on {link.name}'s link ({networks}): "
        "pod routes need all machines on one network"
    )


def _contradiction(route: PodRoute, state: HostState, connected: Route | None) -> str:
    """Why this host is perhaps not the one that the plan takes it for; empty if nothing says so.

    Args:
        route: A route that it should have.
        state: What was read.
        connected: The kernel's own route to the same destination, if there is one.
    """
    if state.link_with(route.next_hop) is not None:
        return (
            f"{route.next_hop}, the internal IP of {route.worker}, is this host's own: is it {route.worker}? "
            "check both hosts in the inventory"
        )
    if connected is not None:
        return (
            f"{route.destination}, the pod CIDR of {route.worker}, is connected here on {connected.dev}: "
            "this host's own bridge has another worker's pod CIDR"
        )
    return ""


def plan_routes(plan: NetworkPlan, node: Node, state: HostState, wanted: DesiredRoutes | None = None) -> HostPlan:
    """Plan the pod routes of one host.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        wanted: The routes that it should have, where they are computed already.
    """
    if wanted is None:
        wanted = desired_routes(plan, node, state)
    if wanted.problems:
        return HostPlan(conflicts=wanted.problems)
    changes = tuple(_changes(plan, node, state, wanted.routes))
    changed = {change.before for change in changes}
    if conflicts := _not_understood(state, changed):
        return HostPlan(conflicts=conflicts)
    foreign = sort_foreign(plan, node, state)
    return HostPlan(
        changes,
        unmet=tuple(one.message for one in unmet_routes(plan, node, state, wanted, foreign)),
        notes=tuple(_notes(state, wanted.routes, foreign, changed)),
    )


def _not_understood(state: HostState, changed: Container[str]) -> tuple[str, ...]:
    """Routes that would be changed and could not be put back, a line each."""
    return tuple(
        f"{route}: `{' '.join(route.unknown)}` is not understood, so it could not be put back: remove it by hand"
        for routes in state.routes.values()
        for route in routes
        if route.unknown and str(route) in changed
    )


def _changes(plan: NetworkPlan, node: Node, state: HostState, wanted: tuple[Route, ...]) -> Iterator[Change]:
    everything = [route for routes in state.routes.values() for route in routes]
    present = [route for route in everything if not route.is_for_some_packets]
    right = frozenset(wanted)
    others = _by_destination(route for route in present if route not in right)
    # Most hosts have nothing else to a pod CIDR, and then no destination need be looked up.
    contested = {route.destination for route in wanted}.intersection(others)
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
            reason = _NO_NEXT_HOP if destination in plan.destinations else _STALE
            yield from _removals(routes, dict.fromkeys(_ours(routes), reason))
    if len(present) != len(everything):
        yield from _removals_of_selective(plan, everything)


def _removals_of_selective(plan: NetworkPlan, routes: Iterable[Route]) -> Iterator[Change]:
    """Those of ours that are for some packets only: we make none. Others' are left alone."""
    places: dict[tuple[object, ...], list[Route]] = {}
    for route in routes:
        if route.is_for_some_packets and plan.owns(route.destination):
            places.setdefault((route.destination, route.tos, route.sources), []).append(route)
    for (destination, *_), there in places.items():
        reason = _SOME_PACKETS if destination in plan.destinations else _STALE
        yield from _removals(there, dict.fromkeys(_ours(there), reason))


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
    elif replaced is not None and wanted.destination.version == 6 and not _may_become_several(replaced):
        # Put back by `replace`, it would take the place of another route on the link rather than ours.
        yield from removals
        yield _put(wanted, replaced)
    else:
        yield _put(wanted, replaced)
        yield from removals


def _replaced_by(wanted: Route, in_place: list[Route]) -> Route | None:
    """The route that `ip route replace` would exchange: of IPv6 routes, the first that has a next hop (ip6_fib.c)."""
    if wanted.destination.version == 6:
        return next(filter(_may_become_several, in_place), in_place[0] if in_place else None)
    return in_place[0] if in_place else None


def _may_become_several(route: Route) -> bool:
    """Whether the kernel would make one IPv6 route of it and another (rt6_qualify_for_ecmp)."""
    return route.has_next_hop and route.nhid is None


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
    if route.protocol == KERNEL or not route.has_next_hop:
        return False
    return not (route.protocol == DHCP and route.metric > DEFAULT_METRIC[4])


def own_pod_hijacks(node: Node, state: HostState) -> tuple[Route, ...]:
    """Routes that take a worker's own pods' packets away from its bridge."""
    own = frozenset(node.pod_cidrs)
    return tuple(
        route
        for routes in state.routes.values()
        for route in routes
        if not route.is_for_some_packets and route.destination in own and _hides_own_pods(route)
    )


def _put(wanted: Route, replaced: Route | None) -> Change:
    if replaced is None:
        return _add(wanted)
    reason, drift = _difference(replaced, wanted)
    return Change(
        "routes",
        "replace",
        str(wanted.destination),
        str(replaced),
        str(wanted),
        reason,
        (RouteCommand(f"route replace {wanted.selector}", f"route replace {replaced.selector}"),),
        drift,
    )


@lru_cache(_REMEMBERED)
def _add(wanted: Route) -> Change:
    """One change for all hosts that lack a route: a first run has as many as there are pairs of machines."""
    text = wanted.selector
    command = RouteCommand(f"route replace {text}", f"route del {text}")
    return Change("routes", "add", str(wanted.destination), "", text, _MISSING, (command,), _DRIFT_CLASSES[_MISSING])


def _difference(route: Route, wanted: Route) -> tuple[str, str]:
    """Why a route is not the wanted one, and the code of the drift class that this is."""
    if route.kind == MULTIPATH:
        reason = _SEVERAL
    elif route.kind != wanted.kind:
        return f"a route of type {route.kind}", "route-wrong-next-hop"
    elif route.via != wanted.via:
        reason = _WRONG_NEXT_HOP
    elif route.dev != wanted.dev:
        reason = _WRONG_DEVICE
    elif route.protocol == PROTOCOL:
        return f"has attributes that are not ours: {', '.join(route.attributes)}", "route-attributes"
    else:
        whose = "the boot script" if route.protocol == BOOT else f"protocol {route.protocol}"
        return f"taken over from {whose}", "route-not-ours"
    return reason, _DRIFT_CLASSES[reason]


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
        # `prepend` puts back what was first; IPv6 has none.
        none_kept = 0 if routes[place[0]].destination.version == 6 else len(place)
        first_kept = next((position for position, number in enumerate(place) if number not in reasons), none_kept)
        for number in place[:first_kept]:
            yield _remove(routes[number], reasons[number], "prepend")
        after = [number for number in reversed(place[first_kept:]) if number in reasons]
        # `del` takes the first that has all that it is asked for: the one with most of it goes first.
        for number in sorted(after, key=lambda number: -len(routes[number].options)):
            yield _remove(routes[number], reasons[number], "append")


def _remove(route: Route, reason: str, put_back: str) -> Change:
    command = RouteCommand(f"route del {route.del_selector}", f"route {put_back} {route.selector}")
    return Change(
        "routes", "remove", str(route.destination), str(route), "", reason, (command,), _DRIFT_CLASSES.get(reason, "")
    )


def _notes(state: HostState, wanted: tuple[Route, ...], foreign: Foreign, changed: Container[str]) -> Iterator[str]:
    yield from _few([str(route) for route in foreign.left], "left alone, not ours", "of the cluster's range")
    leased = [route for routes in state.routes.values() for route in routes if route.protocol == DHCP]
    ways = {route.destination: route for route in wanted} if leased else {}
    elsewhere = [
        str(route)
        for route in leased
        if (ours := ways.get(route.destination)) is not None
        and str(route) not in changed
        and (route.via, route.dev) != (ours.via, ours.dev)
    ]
    yield from _few(elsewhere, "DHCP hands out another next hop; ours wins by its metric", "of DHCP's")


def _few(items: Sequence[str], what: str, which: str) -> Iterator[str]:
    """A line for each, or one for all if they are too many to be read."""
    if len(items) > FEW:
        yield f"{what}: {len(items)} routes {which}: {some_of(items)}"
    else:
        yield from (f"{what}: {item}" for item in items)


def some_of(items: Sequence[object], separator: str = "; ") -> str:
    """All of them in a line, or some as examples, with the number of the others."""
    shown = items if len(items) <= FEW else items[:_EXAMPLES]
    more = f" and {len(items) - len(shown)} more" if len(shown) < len(items) else ""
    return separator.join(map(str, shown)) + more


def sort_foreign(plan: NetworkPlan, node: Node, state: HostState) -> Foreign:
    """Find others' routes inside the cluster's range, and which pods' packets they take another way."""
    foreign = [
        route
        for routes in state.routes.values()
        for route in routes
        if route.protocol not in (KERNEL, PROTOCOL)
        and (route.is_for_some_packets or route.destination not in plan.destinations)
        and plan.owns(route.destination)
    ]
    if not foreign:
        return Foreign((), {})
    cidrs = {pod_route.destination: pod_route for pod_route in plan.pod_routes}
    lengths = {(cidr.version, cidr.prefixlen) for cidr in cidrs}
    left: list[Route] = []
    ways: dict[PodRoute, list[Route]] = {}
    for route in foreign:
        destination = route.destination
        around = (
            cidrs.get(destination.supernet(new_prefix=length))
            for version, length in lengths
            if version == destination.version and length <= destination.prefixlen
        )
        inside = next(filter(None, around), None)
        if inside is not None and inside.destination in node.pod_cidrs and not route.has_next_hop:
            continue  # a pod's own device, which is the network plugin's business
        if inside is None or (route.kind == "unicast" and route.via == inside.next_hop):
            left.append(route)
        else:
            ways.setdefault(inside, []).append(route)
    return Foreign(tuple(left), {pod_route: tuple(routes) for pod_route, routes in ways.items()})


class Unmet(Struct, frozen=True):
    """Something that stays wrong whatever provisioning does.

    Attributes:
        code: Of the drift class that it is.
        subject: What it is about: a pod CIDR, or the message itself.
        message: One line for a person.
        found: What is there; empty if nothing.
    """

    code: str
    subject: str
    message: str
    found: str = ""


def unmet_routes(
    plan: NetworkPlan, node: Node, state: HostState, wanted: DesiredRoutes, foreign: Foreign | None = None
) -> Iterator[Unmet]:
    """What the routes that provisioning makes leave wrong, by what is in the main table.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        wanted: The routes that it should have.
        foreign: Others' routes there, where they are known already.
    """
    for message in wanted.impossible:
        yield Unmet("plan-conflict", message, message)
    for pod_route, routes in (sort_foreign(plan, node, state) if foreign is None else foreign).ways.items():
        cidr = pod_route.destination
        whose = "this worker's own" if cidr in node.pod_cidrs else f"{pod_route.worker}'s"
        message = f"part of {cidr} ({whose} pods) goes another way: {some_of(routes)}"
        yield Unmet("route-shadowed", str(cidr), message, some_of(routes))
    down = [route for routes in state.routes.values() for route in routes if route.linkdown]
    present = {(route.destination, route.via, route.dev) for route in wanted.routes} if down else set()
    for route in down:
        if (route.destination, route.via, route.dev) in present:
            yield Unmet("route-linkdown", str(route.destination), f"{route.dev} has no carrier: {route}")


def unmet_lookups(
    plan: NetworkPlan, node: Node, state: HostState, wanted: DesiredRoutes | None = None
) -> Iterator[Unmet]:
    """Pod CIDRs whose packets the kernel sends another way than the plan's, although the main table is right.

    Policy rules and other tables do that; they are somebody else's. What more specific routes of the main table do,
    `unmet_routes` says.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        wanted: The routes that it should have, where they are computed already.
    """
    if wanted is None:
        wanted = desired_routes(plan, node, state)
    # Compared whole: tuples and Structs do that in C, and addresses do it in Python.
    if wanted.lookups == tuple(state.lookups.values()):
        return
    ways = sort_foreign(plan, node, state).ways
    for pod_route, route, expected in zip(wanted.pod_routes, wanted.routes, wanted.lookups, strict=True):
        lookup = state.lookups.get(pod_route.probe)
        if lookup == expected or any(
            pod_route.probe in one.destination and not one.is_for_some_packets for one in ways.get(pod_route, ())
        ):
            continue
        if lookup is None:
            message = f"the kernel finds no way to {pod_route.probe} ({pod_route.worker}'s pods)"
        else:
            way = f"via {lookup.via} dev {lookup.dev}" if lookup.via is not None else f"dev {lookup.dev}"
            message = (
                f"the kernel sends packets for {pod_route.probe} ({pod_route.worker}'s pods) {way}: "
                f"a policy rule or another table is in front of {route}"
            )
        yield Unmet("route-shadowed", str(pod_route.destination), message)


def plan_routes_removal(plan: NetworkPlan, state: HostState) -> HostPlan:
    """Plan to remove every route of ours, and nothing else."""
    by_place: dict[tuple[object, ...], list[Route]] = {}
    for routes in state.routes.values():
        for route in routes:
            if plan.owns(route.destination):
                by_place.setdefault((route.destination, route.tos, route.sources), []).append(route)
    changes: list[Change] = []
    for there in by_place.values():
        changes += _removals(there, dict.fromkeys(_ours(there), "this software put it there"))
    if conflicts := _not_understood(state, {change.before for change in changes}):
        return HostPlan(conflicts=conflicts)
    return HostPlan(tuple(changes))
