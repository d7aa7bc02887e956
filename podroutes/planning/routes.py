"""Pod routes in the kernel: which to add, to replace and to remove on one host.

The rules come from what the kernel does: a route's place in a table is its destination and metric, `replace` exchanges
what is in that place, a second route can be appended to it, and the connected route of a worker's own pod bridge
(`proto kernel`) must stay the only one to its own pod CIDR.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from podroutes.changes import Change, HostPlan, RouteCommand
from podroutes.host_state import HostState, Link
from podroutes.network_plan import NetworkPlan, Node, PodRoute
from podroutes.routes import BOOT, DEFAULT_METRIC, DHCP, KERNEL, PROTOCOL, Route
from podroutes.values import Family, IPNetwork, contains


@dataclass(frozen=True)
class Device:
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


def wanted_routes(plan: NetworkPlan, node: Node, state: HostState) -> tuple[tuple[Route, ...], tuple[str, ...]]:
    """The routes that a host should have, as the kernel would show them.

    Returns:
        The routes, sorted by destination, and what prevents some, a line each.
    """
    routes: list[Route] = []
    problems: list[str] = []
    devices = {family: find_device(plan, node, state, family) for family in plan.families}
    for device in devices.values():
        if device.link is None:
            problems.append(device.problem)
    for pod_route in plan.routes_for(node):
        link = devices[pod_route.family].link
        if link is None:
            continue
        problem = _refusal(pod_route, link, state)
        if problem:
            problems.append(problem)
        else:
            metric = DEFAULT_METRIC[pod_route.family]
            routes.append(Route(pod_route.destination, pod_route.next_hop, link.name, PROTOCOL, metric))
    return tuple(routes), tuple(problems)


def _refusal(route: PodRoute, link: Link, state: HostState) -> str:
    """Why a route can't or must not be given to this host; empty if it can."""
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
    for existing in state.routes.get(route.family, ()):
        if existing.destination == route.destination and existing.protocol == KERNEL:
            return (
                f"{route.destination}, the pod CIDR of {route.worker}, is connected here on {existing.dev}: "
                "this host's own bridge has another worker's pod CIDR"
            )
    return ""


def plan_routes(plan: NetworkPlan, node: Node, state: HostState) -> HostPlan:
    """Plan the pod routes of one host."""
    wanted, problems = wanted_routes(plan, node, state)
    if problems:
        return HostPlan(conflicts=problems)
    return HostPlan(tuple(_changes(plan, node, state, wanted)), notes=tuple(_notes(plan, state, wanted)))


def _changes(plan: NetworkPlan, node: Node, state: HostState, wanted: tuple[Route, ...]) -> Iterator[Change]:
    by_destination = _by_destination(state)
    for route in wanted:
        yield from _settle(route, by_destination.get(route.destination, []))
    destinations = {route.destination for route in wanted}
    for destination, routes in by_destination.items():
        for route in routes:
            if destination in node.pod_cidrs:
                if _hides_own_pods(route):
                    yield _remove(route, "a worker reaches its own pods through its bridge, never through a next hop")
            elif route.protocol == PROTOCOL and plan.owns(destination) and destination not in destinations:
                yield _remove(route, "no worker has this pod CIDR")


def _by_destination(state: HostState) -> dict[IPNetwork, list[Route]]:
    """The main table's routes for all traffic; those for one type of service are left alone."""
    grouped: dict[IPNetwork, list[Route]] = {}
    for routes in state.routes.values():
        for route in routes:
            if route.tos == "":
                grouped.setdefault(route.destination, []).append(route)
    return grouped


def _settle(wanted: Route, existing: list[Route]) -> Iterator[Change]:
    """Make one destination have exactly the wanted route in its place; `existing` are all routes to it."""
    in_place = [route for route in existing if route.metric == wanted.metric]
    settled = next((route for route in in_place if _is_settled(route, wanted)), None)
    replaced = in_place[0] if settled is None and in_place else None
    if settled is None:
        yield _put(wanted, replaced)
    for route in existing:
        if route is not settled and route is not replaced and _is_in_the_way(route, wanted):
            right = wanted.via is not None and wanted.dev is not None and route.leads(wanted.via, wanted.dev)
            yield _remove(route, "duplicate" if right else "wrong next hop or device beside the right route")


def _is_settled(route: Route, wanted: Route) -> bool:
    """Ours, or the same from DHCP (which would take its place back at every renewal)."""
    same_way = route.kind == wanted.kind and (route.via, route.dev) == (wanted.via, wanted.dev)
    return same_way and route.protocol in (PROTOCOL, DHCP)


def _is_in_the_way(route: Route, wanted: Route) -> bool:
    """Whether a further route to a wanted destination has to go."""
    if route.metric == wanted.metric or route.protocol == PROTOCOL:
        return True
    if route.protocol == DHCP and route.metric > wanted.metric:
        return False  # the lease's; it comes back, and ours wins
    return (route.kind, route.via, route.dev) != (wanted.kind, wanted.via, wanted.dev)


def _hides_own_pods(route: Route) -> bool:
    if route.protocol == PROTOCOL:
        return True
    if route.protocol == KERNEL or route.via is None:
        return False
    return not (route.protocol == DHCP and route.metric > DEFAULT_METRIC[4])


def _put(wanted: Route, replaced: Route | None) -> Change:
    if replaced is None:
        reason, action, undo = "missing", "add", f"route del {wanted.selector}"
    else:
        reason, action, undo = _difference(replaced, wanted), "replace", f"route replace {replaced.selector}"
    return Change(
        "routes",
        "add" if action == "add" else "replace",
        str(wanted.destination),
        "" if replaced is None else str(replaced),
        str(wanted),
        reason,
        (RouteCommand(f"route replace {wanted.selector}", undo),),
    )


def _difference(route: Route, wanted: Route) -> str:
    if route.kind != wanted.kind:
        return (
            "several next hops" if route.via is None and route.kind == "multipath" else f"a route of type {route.kind}"
        )
    if route.via != wanted.via:
        return "wrong next hop"
    if route.dev != wanted.dev:
        return "wrong device"
    return "taken over from the boot script" if route.protocol == BOOT else f"taken over from protocol {route.protocol}"


def _remove(route: Route, reason: str) -> Change:
    command = RouteCommand(f"route del {route.selector}", f"route append {route.selector}")
    return Change("routes", "remove", str(route.destination), str(route), "", reason, (command,))


def _notes(plan: NetworkPlan, state: HostState, wanted: tuple[Route, ...]) -> Iterator[str]:
    wanted_by_destination = {route.destination: route for route in wanted}
    for routes in state.routes.values():
        for route in routes:
            if not plan.owns(route.destination) or route.protocol in (KERNEL, PROTOCOL):
                continue
            ours = wanted_by_destination.get(route.destination)
            if ours is None:
                yield f"left alone, not ours: {route}"
            elif route.protocol == DHCP and (route.via, route.dev) != (ours.via, ours.dev):
                yield f"DHCP hands out another next hop; ours wins by its metric: {route}"
    networkd = state.units.get("systemd-networkd.service")
    if networkd is not None and networkd.active == "active" and state.manages_foreign_routes is not False:
        yield (
            "systemd-networkd removes routes that it does not know when it restarts: "
            "set ManageForeignRoutes=no in networkd.conf"
        )


def unmet_lookups(plan: NetworkPlan, node: Node, state: HostState) -> tuple[str, ...]:
    """Pod CIDRs whose packets the kernel sends another way than the plan's, although the main table is right.

    Policy rules, other tables and more specific routes do that; they are somebody else's.
    """
    wanted, _ = wanted_routes(plan, node, state)
    ways = {route.destination: route for route in wanted}
    problems = []
    for pod_route in plan.routes_for(node):
        route = ways.get(pod_route.destination)
        if route is None:
            continue
        lookup = state.lookups.get(pod_route.probe)
        if lookup is None:
            problems.append(f"the kernel finds no way to {pod_route.probe} ({pod_route.worker}'s pods)")
        elif (lookup.via, lookup.dev) != (route.via, route.dev):
            way = f"via {lookup.via} dev {lookup.dev}" if lookup.via is not None else f"dev {lookup.dev}"
            problems.append(
                f"the kernel sends packets for {pod_route.probe} ({pod_route.worker}'s pods) {way}: "
                f"a more specific route or a policy rule is in front of {route}"
            )
    return tuple(problems)


def plan_routes_removal(plan: NetworkPlan, state: HostState) -> HostPlan:
    """Plan to remove every route of ours, and nothing else."""
    changes = [
        _remove(route, "this software put it there")
        for routes in state.routes.values()
        for route in routes
        if route.protocol == PROTOCOL and plan.owns(route.destination)
    ]
    return HostPlan(tuple(changes))
