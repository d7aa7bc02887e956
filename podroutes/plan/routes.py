"""Pod routes in the kernel: which to add, to replace and to remove on one host.

The rules come from what the kernel does: a route's place in a table is its destination and metric, `replace` exchanges
what is in that place, a second route can be appended to it, and the connected route of a worker's own pod bridge
(`proto kernel`) must stay the only one to its own pod CIDR.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from podroutes.addresses import IPNetwork
from podroutes.host.changes import Change, HostPlan, RouteCommand
from podroutes.host.routes import BOOT, DEFAULT_METRIC, DHCP, KERNEL, MULTIPATH, PROTOCOL, Route
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import FEW, DesiredRoutes, all_routes, some_of
from podroutes.plan.foreign_routes import find_foreign_routes
from podroutes.plan.unresolved_routes import unresolved_routes

_OWN_PODS = "a worker reaches its own pods through its bridge, never through a next hop"
_STALE = "no worker has this pod CIDR"
_DUPLICATE = "duplicate"
_WRONG_DUPLICATE = "wrong next hop or device beside the right route"
_SOME_PACKETS = "for some packets only"
_NO_NEXT_HOP = "its worker's internal IP is not on the link"
_DEPROVISIONED = "this software put it there"

# What a drift check calls a route that is removed for each reason.
_DRIFT_CLASSES = {
    _DUPLICATE: "route-duplicate",
    _WRONG_DUPLICATE: "route-duplicate",
    _SOME_PACKETS: "route-duplicate",
    _NO_NEXT_HOP: "route-wrong-next-hop",
    _STALE: "route-stale",
    _OWN_PODS: "own-cidr-hijack",
    _DEPROVISIONED: "",
}


def plan_routes(plan: NetworkPlan, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
    """Plan the pod routes of one host.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        desired: The routes that it should have.
    """
    if desired.problems:
        return HostPlan(conflicts=desired.problems)
    changes = tuple(_changes(plan, node, state, desired.routes))
    changed = {change.before for change in changes}
    if conflicts := _cannot_be_restored(state, changed):
        return HostPlan(conflicts=conflicts)
    return HostPlan(
        changes,
        unresolved=tuple(one.message for one in unresolved_routes(plan, node, state, desired)),
        notes=(*_foreign_notes(plan, node, state), *_dhcp_notes(state, desired.routes, changed)),
    )


def plan_routes_removal(plan: NetworkPlan, state: HostState) -> HostPlan:
    """Plan to remove every route of ours, and nothing else."""
    changes: list[Change] = []
    for routes in _by_selector(route for route in all_routes(state) if plan.owns(route.destination)).values():
        changes += _remove_ours(routes, _DEPROVISIONED)
    if conflicts := _cannot_be_restored(state, {change.before for change in changes}):
        return HostPlan(conflicts=conflicts)
    return HostPlan(tuple(changes))


def hijacks_own_pods(route: Route) -> bool:
    """Whether a route to a worker's own pod CIDR takes packets away from its bridge."""
    if route.protocol == PROTOCOL:
        return True
    if route.protocol == KERNEL or not route.has_next_hop:
        return False
    return not (route.protocol == DHCP and route.metric > DEFAULT_METRIC[4])


def _cannot_be_restored(state: HostState, changed: Container[str]) -> tuple[str, ...]:
    return tuple(
        f"{route}: `{' '.join(route.unknown)}` is not understood, so it could not be restored: remove it by hand"
        for route in all_routes(state)
        if route.unknown and str(route) in changed
    )


def _changes(plan: NetworkPlan, node: Node, state: HostState, desired: Sequence[Route]) -> Iterator[Change]:
    present = _by_selector(all_routes(state))
    for route in desired:
        existing = present.pop((route.destination, "", None), [])
        if existing != [route]:
            yield from _reconcile(route, existing)
    pod_cidrs = plan.destinations
    for (destination, tos, sources), routes in present.items():
        for_some_packets = tos != "" or sources is not None
        if destination in node.pod_cidrs and not for_some_packets:
            hijacking = [number for number, route in enumerate(routes) if hijacks_own_pods(route)]
            yield from _removals(routes, dict.fromkeys(hijacking, _OWN_PODS))
        elif plan.owns(destination):
            reason = _SOME_PACKETS if for_some_packets else _NO_NEXT_HOP
            yield from _remove_ours(routes, reason if destination in pod_cidrs else _STALE)


_Selector = tuple[IPNetwork, str, IPNetwork | None]


def _by_selector(routes: Iterable[Route]) -> dict[_Selector, list[Route]]:
    """Routes by the packets that they are for: their destination, type of service and source addresses."""
    grouped: dict[_Selector, list[Route]] = {}
    for route in routes:
        grouped.setdefault((route.destination, route.tos, route.sources), []).append(route)
    return grouped


def _reconcile(desired: Route, existing: list[Route]) -> Iterator[Change]:
    """Give one destination exactly the desired route; `existing` are the routes to it."""
    same_metric = [route for route in existing if route.metric == desired.metric]
    right = next((route for route in same_metric if _is_up_to_date(route, desired)), None)
    replaced = _replaced_by(desired, same_metric) if right is None else None
    duplicates = {
        number: _DUPLICATE if _has_same_next_hop(route, desired) else _WRONG_DUPLICATE
        for number, route in enumerate(existing)
        if route is not right and route is not replaced and _must_go(route, desired)
    }
    removals = list(_removals(existing, duplicates))
    if right is not None:
        yield from removals
    elif replaced is not None and desired.destination.version == 6 and not _may_join_multipath(replaced):
        # Restored by `replace`, it would take the place of another route on the link rather than ours.
        yield from removals
        yield _replacement(replaced, desired)
    else:
        yield _addition(desired) if replaced is None else _replacement(replaced, desired)
        yield from removals


def _replaced_by(desired: Route, same_metric: list[Route]) -> Route | None:
    """The route that `ip route replace` would exchange: of IPv6 routes, the first that has a next hop (ip6_fib.c)."""
    first = same_metric[0] if same_metric else None
    if desired.destination.version == 6:
        return next(filter(_may_join_multipath, same_metric), first)
    return first


def _may_join_multipath(route: Route) -> bool:
    """Whether the kernel would make one IPv6 route of it and another (rt6_qualify_for_ecmp)."""
    return route.has_next_hop and route.nhid is None


def _has_same_next_hop(route: Route, desired: Route) -> bool:
    return (route.kind, route.via, route.dev) == (desired.kind, desired.via, desired.dev)


def _is_up_to_date(route: Route, desired: Route) -> bool:
    """Ours, or the same from DHCP (which would take its place back at every renewal)."""
    if route.protocol == PROTOCOL:
        return replace(route, linkdown=desired.linkdown) == desired if route.linkdown else route == desired
    return route.protocol == DHCP and _has_same_next_hop(route, desired)


def _must_go(route: Route, desired: Route) -> bool:
    """Whether a further route to a desired destination has to be removed."""
    if route.metric == desired.metric or route.protocol == PROTOCOL:
        return True
    if route.protocol == DHCP and route.metric > desired.metric:
        return False  # the lease's; it comes back, and ours wins
    return not _has_same_next_hop(route, desired)


def _addition(desired: Route) -> Change:
    text = desired.selector
    command = RouteCommand(f"route replace {text}", f"route del {text}")
    return Change("routes", "add", str(desired.destination), "", text, "missing", (command,), "route-missing")


def _replacement(replaced: Route, desired: Route) -> Change:
    reason, drift = _difference(replaced, desired)
    command = RouteCommand(f"route replace {desired.selector}", f"route replace {replaced.selector}")
    before, after = str(replaced), str(desired)
    return Change("routes", "replace", str(desired.destination), before, after, reason, (command,), drift)


def _difference(route: Route, desired: Route) -> tuple[str, str]:
    """Why a route is not the desired one, and the code of the drift class that this is."""
    if route.kind == MULTIPATH:
        return "several next hops", "route-wrong-next-hop"
    if route.kind != desired.kind:
        return f"a route of type {route.kind}", "route-wrong-next-hop"
    if route.via != desired.via:
        return "wrong next hop", "route-wrong-next-hop"
    if route.dev != desired.dev:
        return "wrong device", "route-wrong-device"
    if route.protocol == PROTOCOL:
        return f"has attributes that are not ours: {', '.join(route.attributes)}", "route-attributes"
    made_by = "the boot script" if route.protocol == BOOT else f"protocol {route.protocol}"
    return f"taken over from {made_by}", "route-not-ours"


def _remove_ours(routes: list[Route], reason: str) -> Iterator[Change]:
    ours = [number for number, route in enumerate(routes) if route.protocol == PROTOCOL]
    return _removals(routes, dict.fromkeys(ours, reason))


def _removals(routes: list[Route], reasons: Mapping[int, str]) -> Iterator[Change]:
    """Remove some of the routes to one destination, so that undoing it restores their order.

    Args:
        routes: All of them, in the kernel's order.
        reasons: Why, by the number of a route among them; the others stay.
    """
    by_metric: dict[int, list[int]] = {}
    for number, route in enumerate(routes):
        by_metric.setdefault(route.metric, []).append(number)
    for numbers in by_metric.values():
        # `prepend` restores what was first; IPv6 has none.
        none_kept = 0 if routes[numbers[0]].destination.version == 6 else len(numbers)
        first_kept = next((position for position, number in enumerate(numbers) if number not in reasons), none_kept)
        for number in numbers[:first_kept]:
            yield _removal(routes[number], reasons[number], "prepend")
        after = [number for number in reversed(numbers[first_kept:]) if number in reasons]
        # `del` takes the first route that has all that it names: the one with the most options goes first.
        for number in sorted(after, key=lambda number: -len(routes[number].options)):
            yield _removal(routes[number], reasons[number], "append")


def _removal(route: Route, reason: str, restore: str) -> Change:
    command = RouteCommand(f"route del {route.del_selector}", f"route {restore} {route.selector}")
    before = str(route)
    return Change("routes", "remove", str(route.destination), before, "", reason, (command,), _DRIFT_CLASSES[reason])


def _foreign_notes(plan: NetworkPlan, node: Node, state: HostState) -> Iterator[str]:
    harmless = find_foreign_routes(plan, node, state).harmless
    yield from _few(harmless, "left alone, not ours", "of the cluster's range")


def _dhcp_notes(state: HostState, desired: Sequence[Route], changed: Container[str]) -> Iterator[str]:
    ours = {route.destination: route for route in desired}
    elsewhere = [
        route
        for route in all_routes(state)
        if route.protocol == DHCP
        and route.destination in ours
        and (route.via, route.dev) != (ours[route.destination].via, ours[route.destination].dev)
        and str(route) not in changed
    ]
    yield from _few(elsewhere, "DHCP hands out another next hop; ours wins by its metric", "of DHCP's")


def _few(routes: Sequence[Route], what: str, which: str) -> Iterator[str]:
    """A line for each, or one for all if they are too many to be read."""
    if len(routes) > FEW:
        yield f"{what}: {len(routes)} routes {which}: {some_of(routes)}"
    else:
        yield from (f"{what}: {route}" for route in routes)
