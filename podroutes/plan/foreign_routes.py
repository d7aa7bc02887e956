"""Routes inside the cluster's range that are not ours: harmless ones, and those that take pods' packets elsewhere."""

from collections.abc import Mapping

from msgspec import Struct

from podroutes.host.routes import KERNEL, PROTOCOL, Route
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node, PodRoute
from podroutes.plan.desired_routes import all_routes


class ForeignRoutes(Struct, frozen=True):
    """Others' routes inside the cluster's range, apart from those that provisioning replaces.

    Attributes:
        harmless: Those that take no packets to pods another way.
        shadowing: By pod CIDR, those that take some of its packets another way: more specific ones, and ones for some
            packets only. They are not ours to remove.
    """

    harmless: tuple[Route, ...]
    shadowing: Mapping[PodRoute, tuple[Route, ...]]


def find_foreign_routes(plan: NetworkPlan, node: Node, state: HostState) -> ForeignRoutes:
    """Find others' routes inside the cluster's range, and the pod CIDRs that they shadow."""
    foreign = [
        route
        for route in all_routes(state)
        if route.protocol not in (KERNEL, PROTOCOL) and plan.owns(route.destination)
    ]
    if not foreign:
        return ForeignRoutes((), {})
    pod_routes = {pod_route.destination: pod_route for pod_route in plan.pod_routes}
    mask_sizes = {destination.prefixlen for destination in pod_routes}
    harmless: list[Route] = []
    shadowing: dict[PodRoute, tuple[Route, ...]] = {}
    for route in foreign:
        destination = route.destination
        if destination in pod_routes and not route.is_for_some_packets:
            continue  # provisioning replaces it
        supernets = [destination.supernet(new_prefix=size) for size in mask_sizes if size <= destination.prefixlen]
        shadowed = next((pod_routes[network] for network in supernets if network in pod_routes), None)
        if shadowed is None or (route.kind == "unicast" and route.via == shadowed.next_hop):
            harmless.append(route)
        elif shadowed.destination not in node.pod_cidrs or route.has_next_hop:
            shadowing[shadowed] = (*shadowing.get(shadowed, ()), route)
        # The rest are devices of single pods, which are the network plugin's business.
    return ForeignRoutes(tuple(harmless), shadowing)
