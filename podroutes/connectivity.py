"""Which pods reach which, derived from what the hosts have: every node as source, every worker as target.

Packets to a worker's pods arrive if the source's kernel sends them to that worker's internal IP, the source forwards
(where they come from its own pods), the target forwards, and the target reaches its own pods itself.
Replies go the other way.
"""

from collections.abc import Mapping
from typing import Literal

from podroutes.findings import Direction
from podroutes.host_state import HostState
from podroutes.network_plan import NetworkPlan, Node, PodRoute
from podroutes.planning.forwarding import IPV4_FORWARD, IPV6_FORWARD
from podroutes.planning.routes import own_pod_hijacks
from podroutes.values import Family


def directions(plan: NetworkPlan, states: Mapping[str, HostState]) -> tuple[Direction, ...]:
    """Judge every direction between a node and a worker.

    Args:
        plan: The cluster's network.
        states: What was read, by host; a node without a state is not known.

    Returns:
        One for each ordered pair of a node and another node that is a worker, in the inventory's order.
    """
    return tuple(
        _direction(plan, source, target, states)
        for source in plan.nodes.values()
        for target in plan.workers
        if source.name != target.name
    )


def _direction(plan: NetworkPlan, source: Node, target: Node, states: Mapping[str, HostState]) -> Direction:
    unknown = [node.name for node in (source, target) if node.name not in states]
    if unknown:
        reason = f"{' and '.join(unknown)} could not be read"
        return Direction(source=source.name, target=target.name, state="unknown", reason=reason)
    for route in plan.pod_routes:
        if route.worker == target.name:
            obstacle = _obstacle(source, target, route, states)
            if obstacle is not None:
                cause, reason = obstacle
                return Direction(source=source.name, target=target.name, state="cut", cause=cause, reason=reason)
    return Direction(source=source.name, target=target.name, state="ok")


Cause = Literal["no route", "forwarding off", "own pods hijacked"]


def _obstacle(source: Node, target: Node, route: PodRoute, states: Mapping[str, HostState]) -> tuple[Cause, str] | None:
    at_source, at_target = states[source.name], states[target.name]
    lookup = at_source.lookups.get(route.probe)
    if lookup is None:
        return "no route", f"{source.name} has no way to {route.destination}"
    if lookup.via != route.next_hop:
        way = f"via {lookup.via}" if lookup.via is not None else f"to {lookup.dev}"
        return "no route", f"{source.name} sends {route.destination} {way}, not via {route.next_hop}"
    if source.role == "worker" and not _forwards(at_source, route.family):
        return "forwarding off", f"{source.name} does not forward"
    if not _forwards(at_target, route.family):
        return "forwarding off", f"{target.name} does not forward"
    if any(hijack.destination == route.destination for hijack in own_pod_hijacks(target, at_target)):
        return "own pods hijacked", f"{target.name} sends its own pods' packets away"
    return None


def _forwards(state: HostState, family: Family) -> bool:
    return state.sysctls.get(IPV4_FORWARD if family == 4 else IPV6_FORWARD) == "1"
