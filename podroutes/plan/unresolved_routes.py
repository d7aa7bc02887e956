"""What is wrong with a host's pod routes and stays so whatever provisioning does."""

from collections.abc import Iterator

from msgspec import Struct

from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes, all_routes, some_of
from podroutes.plan.foreign_routes import find_foreign_routes


class Unresolved(Struct, frozen=True):
    """A problem that provisioning can't resolve.

    Attributes:
        code: Its drift class.
        subject: What it is about: a pod CIDR, or the message itself.
        message: One line for a person.
        found: What is there; empty if nothing.
    """

    code: str
    subject: str
    message: str
    found: str = ""


def unresolved_routes(plan: NetworkPlan, node: Node, state: HostState, desired: DesiredRoutes) -> Iterator[Unresolved]:
    """Find what is wrong in the main table: no possible next hop, others' routes in front of ours, no carrier."""
    for message in desired.impossible:
        yield Unresolved("plan-conflict", message, message)
    for pod_route, routes in find_foreign_routes(plan, node, state).shadowing.items():
        cidr = pod_route.destination
        whose = "this worker's own" if cidr in node.pod_cidrs else f"{pod_route.worker}'s"
        message = f"part of {cidr} ({whose} pods) goes another way: {some_of(routes)}"
        yield Unresolved("route-shadowed", str(cidr), message, some_of(routes))
    down = [route for route in all_routes(state) if route.linkdown]
    ours = {(route.destination, route.via, route.dev) for route in desired.routes} if down else set()
    for route in down:
        if (route.destination, route.via, route.dev) in ours:
            yield Unresolved("route-linkdown", str(route.destination), f"{route.dev} has no carrier: {route}")


def unresolved_lookups(plan: NetworkPlan, node: Node, state: HostState, desired: DesiredRoutes) -> Iterator[Unresolved]:
    """Find pod CIDRs whose packets the kernel sends another way although the main table is right.

    Policy rules and other tables do that; they are somebody else's. More specific routes of the main table are found by
    `unresolved_routes`.
    """
    pod_routes = {pod_route.destination: pod_route for pod_route in plan.pod_routes}
    shadowing = find_foreign_routes(plan, node, state).shadowing
    for route in desired.routes:
        pod_route = pod_routes[route.destination]
        probe = pod_route.probe
        lookup = state.lookups.get(probe)
        if lookup is not None and (lookup.via, lookup.dev) == (route.via, route.dev):
            continue
        if any(probe in one.destination and not one.is_for_some_packets for one in shadowing.get(pod_route, ())):
            continue
        if lookup is None:
            message = f"the kernel has no route to {probe} ({pod_route.worker}'s pods)"
        else:
            via = "" if lookup.via is None else f"via {lookup.via} "
            message = (
                f"the kernel sends packets for {probe} ({pod_route.worker}'s pods) {via}dev {lookup.dev}: "
                f"a policy rule or another table is in front of {route}"
            )
        yield Unresolved("route-shadowed", str(pod_route.destination), message)
