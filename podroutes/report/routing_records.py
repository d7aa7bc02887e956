"""The cluster's routing table: which worker each pod CIDR is behind, and what every host really has."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from podroutes.addresses import family_of
from podroutes.host.cloud import CloudState
from podroutes.host.routes import DEFAULT_METRIC, DHCP, KERNEL, PROTOCOL, Route
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.outcomes import HostOutcome, Outcome
from podroutes.plan.desired_routes import all_routes, desired_routes
from podroutes.plan.routes import plan_routes

Status = Literal["up to date", "own pods", "missing", "wrong", "stale", "not ours"]


class WorkerRecord(Struct, frozen=True):
    """A worker's line of the plan: what its internal IP and pod CIDR are, for one family."""

    worker: str
    internal_ip: str
    pod_cidr: str


class RouteRecord(Struct, frozen=True, kw_only=True):
    """A route of one host, or one that it lacks: that has neither a protocol (rtm_protocol) nor a metric."""

    destination: str
    next_hop: str = ""
    device: str = ""
    protocol: int | None = None
    metric: int | None = None
    status: Status


class HostRecord(Struct, frozen=True):
    """What one host has; `ip_route` is what `ip route` prints there."""

    host: str
    outcome: Outcome
    reason: str = ""
    routes: tuple[RouteRecord, ...] = ()
    ip_route: str = ""


class PortRecord(Struct, frozen=True):
    """A worker's port in the cloud, by its name, or by its id where it has none."""

    worker: str
    port: str
    address: str
    allowed_address_pairs: tuple[str, ...]
    port_security: bool


class CloudRecord(Struct, frozen=True):
    """What a cloud has: routes as subnet or router, destination and gateway."""

    host: str
    outcome: Outcome
    reason: str = ""
    routes: tuple[tuple[str, str, str], ...] = ()
    ports: tuple[PortRecord, ...] = ()


class RoutingTable(Struct, frozen=True, kw_only=True):
    """The plan, and what every host has of it."""

    schema_version: Literal[1] = 1
    workers: tuple[WorkerRecord, ...]
    hosts: tuple[HostRecord, ...]
    clouds: tuple[CloudRecord, ...] = ()


def build_routing_table(
    plan: NetworkPlan,
    outcomes: tuple[HostOutcome, ...],
    states: Mapping[str, HostState],
    clouds: Mapping[str, CloudState],
) -> RoutingTable:
    """Put the plan and what was read side by side.

    Args:
        plan: The cluster's network.
        outcomes: One for each host that was asked for.
        states: What was read, by host; none for a host that could not be read.
        clouds: What was read of clouds, by host.
    """
    return RoutingTable(
        workers=tuple(
            WorkerRecord(route.worker, str(route.next_hop), str(route.destination)) for route in plan.pod_routes
        ),
        hosts=tuple(_host_record(plan, one, states.get(one.host)) for one in outcomes if one.host in plan.nodes),
        clouds=tuple(_cloud_record(plan, one, clouds.get(one.host)) for one in outcomes if one.host in plan.clouds),
    )


def _host_record(plan: NetworkPlan, outcome: HostOutcome, state: HostState | None) -> HostRecord:
    if state is None:
        return HostRecord(outcome.host, outcome.outcome, outcome.reason)
    routes = host_routes(plan, plan.nodes[outcome.host], state)
    return HostRecord(outcome.host, outcome.outcome, outcome.reason, routes, state.route_text)


def _cloud_record(plan: NetworkPlan, outcome: HostOutcome, state: CloudState | None) -> CloudRecord:
    if state is None:
        return CloudRecord(outcome.host, outcome.outcome, outcome.reason)
    lists = [(f"subnet {subnet.label}", subnet.host_routes) for subnet in state.subnets.values()]
    if state.router is not None:
        lists.append((f"router {state.router.label}", state.router.routes))
    routes = tuple((where, str(one.destination), str(one.nexthop)) for where, routes in lists for one in routes)
    ports = []
    for route in plan.pod_routes:
        port = state.port_of(route.next_hop)
        if port is not None:
            pairs = tuple(pair.ip_address for pair in port.allowed_address_pairs)
            security = port.port_security_enabled
            ports.append(PortRecord(route.worker, port.label, str(route.next_hop), pairs, security))
    return CloudRecord(outcome.host, outcome.outcome, outcome.reason, routes, tuple(ports))


def host_routes(plan: NetworkPlan, node: Node, state: HostState) -> tuple[RouteRecord, ...]:
    """The routes of a host inside the cluster's range, in the kernel's order, and at the end those that it lacks."""
    desired = desired_routes(plan, node, state)
    removed = {change.before for change in plan_routes(plan, node, state, desired).changes}
    devices = {route.destination: route.dev or "" for route in desired.routes}
    lacking = {route.destination: route for route in plan.routes_for(node)}
    destinations = frozenset(lacking)
    records = []
    for route in all_routes(state):
        if not plan.owns(route.destination):
            continue
        status = _status(route, node, wrong=str(route) in removed, expected=route.destination in destinations)
        if status in ("up to date", "wrong"):
            lacking.pop(route.destination, None)
        records.append(
            RouteRecord(
                destination=str(route.destination),
                next_hop="" if route.via is None else str(route.via),
                device=route.dev or "",
                protocol=route.protocol,
                metric=route.metric,
                status=status,
            )
        )
    for destination, missing in lacking.items():
        next_hop, device = str(missing.next_hop), devices.get(destination, "")
        records.append(RouteRecord(destination=str(destination), next_hop=next_hop, device=device, status="missing"))
    return tuple(records)


def _status(route: Route, node: Node, *, wrong: bool, expected: bool) -> Status:
    if wrong:
        return "wrong" if expected or route.destination in node.pod_cidrs else "stale"
    if route.protocol == KERNEL:
        return "own pods" if route.destination in node.pod_cidrs else "not ours"
    # What the planner leaves in our place is ours, or the same from DHCP.
    in_our_place = route.metric == DEFAULT_METRIC[family_of(route.destination)] and route.tos == ""
    accepted = route.protocol == PROTOCOL or (route.protocol == DHCP and in_our_place)
    return "up to date" if expected and accepted else "not ours"
