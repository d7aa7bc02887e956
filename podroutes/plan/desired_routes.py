"""The pod routes that a host should have: through which device, and why there can be none to some pod CIDRs."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from podroutes.addresses import Family, IPNetwork, contains
from podroutes.host.routes import KERNEL, LINK_SCOPE, Route
from podroutes.host.state import HostState, Link
from podroutes.inventory.network_plan import NetworkPlan, Node, PodRoute

# As many routes as a person reads one by one; of more, some are examples.
FEW = 5
_EXAMPLES = 3


class DesiredRoutes(Struct, frozen=True):
    """The routes that a host should have, as the kernel would show them.

    Attributes:
        routes: Sorted by destination.
        problems: What contradicts the plan so that the whole host is in doubt, a line each; nothing is changed then.
        impossible: Why there can be no route to a pod CIDR, a line each; the other routes are in `routes`.
    """

    routes: tuple[Route, ...]
    problems: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()


def all_routes(state: HostState) -> Iterator[Route]:
    """The routes of the main tables of both families, in the kernel's order."""
    for routes in state.routes.values():
        yield from routes


def desired_routes(plan: NetworkPlan, node: Node, state: HostState) -> DesiredRoutes:
    """Compute the routes that a host should have.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read; it says which device leads to the other machines.
    """
    routes: list[Route] = []
    problems: list[str] = []
    impossible: list[str] = []
    for family in plan.families:
        link = find_device(plan, node, state, family)
        if isinstance(link, str):
            problems.append(link)
            continue
        networks = _on_link_networks(link, state, family)
        pod_routes = [pod_route for pod_route in plan.routes_for(node) if pod_route.family == family]
        off_link = [one for one in pod_routes if not any(one.next_hop in network for network in networks)]
        problems += _signs_of_another_machine(pod_routes, state)
        routes += [one.on(link.name) for one in pod_routes if one not in off_link]
        # Without any next hop on the link, rather the device or its address is not the right one.
        (problems if len(off_link) == len(pod_routes) else impossible).extend(
            f"next hop {one.next_hop} ({one.worker}) is not on {link.name}'s link "
            f"({some_of(networks, ', ') or 'no network'}): pod routes need all machines on one network"
            for one in off_link
        )
    return DesiredRoutes(tuple(routes), tuple(problems), tuple(impossible))


def find_device(plan: NetworkPlan, node: Node, state: HostState, family: Family) -> Link | str:
    """Find the interface of a family's pod routes: the inventory's `interface`, or the one with the internal IP.

    Returns:
        The interface, or why there is none: one line for a person.
    """
    internal_ip = node.internal_ip(family)
    if node.interface is not None:
        links = [link for link in state.links.values() if link.name == node.interface]
        problem = f"there is no interface {node.interface}, which the inventory names (data.interface)"
    elif internal_ip is not None:
        owner = state.link_with(internal_ip)
        links = [] if owner is None else [owner]
        problem = f"no interface has the internal IP {internal_ip}; it has {_addresses(state, family)}"
    else:
        network = next(network for network in plan.node_networks if network.version == family)
        links = [link for link in state.links.values() if any(contains(network, own.ip) for own in link.addresses)]
        problem = f"no interface has an address in the node network {network}; it has {_addresses(state, family)}"
        if len(links) > 1:
            names = ", ".join(link.name for link in links)
            return f"several interfaces have an address in {network} ({names}): write data.interface in the inventory"
    if not links:
        return problem
    return links[0] if links[0].up else f"{links[0].name} is down: set it up, then run this again"


def some_of(items: Sequence[object], separator: str = "; ") -> str:
    """All of them in a line, or some as examples, with the number of the others."""
    shown = items if len(items) <= FEW else items[:_EXAMPLES]
    more = f" and {len(items) - len(shown)} more" if len(shown) < len(items) else ""
    return separator.join(map(str, shown)) + more


def _addresses(state: HostState, family: Family) -> str:
    found = [
        f"{own.ip} on {link.name}"
        for link in state.links.values()
        for own in link.addresses
        if own.ip.version == family and not own.ip.is_loopback and not own.ip.is_link_local
    ]
    return ", ".join(found) or f"no IPv{family} address"


def _on_link_networks(link: Link, state: HostState, family: Family) -> tuple[IPNetwork, ...]:
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


def _signs_of_another_machine(pod_routes: Sequence[PodRoute], state: HostState) -> Iterator[str]:
    """Signs that this host is not the machine that the inventory takes it for."""
    own_ips = {own.ip for link in state.links.values() for own in link.addresses}
    connected = {route.destination: route for route in all_routes(state) if route.protocol == KERNEL}
    for route in pod_routes:
        if route.next_hop in own_ips:
            yield (
                f"{route.next_hop}, the internal IP of {route.worker}, is this host's own: is it {route.worker}? "
                "check both hosts in the inventory"
            )
        elif route.destination in connected:
            yield (
                f"{route.destination}, the pod CIDR of {route.worker}, is connected here on "
                f"{connected[route.destination].dev}: this host's own bridge has another worker's pod CIDR"
            )
