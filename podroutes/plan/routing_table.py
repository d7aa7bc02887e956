"""The cluster's routing table: which worker each pod CIDR is behind, and what every host really has."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from podroutes.addresses import contains, family_of
from podroutes.host.cloud import CloudState
from podroutes.host.routes import DEFAULT_METRIC, DHCP, KERNEL, PROTOCOL, Route
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.outcomes import HostOutcome, Outcome
from podroutes.plan.routes import desired_routes, plan_routes

Status = Literal["as wanted", "own pods", "missing", "wrong", "stale", "not ours"]


class _Record(Struct, frozen=True, kw_only=True):
    pass


class WorkerRecord(_Record, frozen=True, kw_only=True):
    """A worker's line of the plan: what its internal IP and pod CIDR are, for one family."""

    worker: str
    internal_ip: str
    pod_cidr: str


class RouteRecord(_Record, frozen=True, kw_only=True):
    """A route of one host, or one that it lacks."""

    destination: str
    next_hop: str = ""
    device: str = ""
    protocol: Annotated[int | None, Meta(description="rtm_protocol; null where the route is missing.")] = None
    metric: int | None = None
    status: Status


class HostRecord(_Record, frozen=True, kw_only=True):
    """What one host has."""

    host: str
    outcome: Outcome
    reason: str = ""
    routes: tuple[RouteRecord, ...] = ()
    ip_route: Annotated[str, Meta(description="What `ip route` prints there.")] = ""


class PortRecord(_Record, frozen=True, kw_only=True):
    """A worker's port in the cloud."""

    worker: str
    port: Annotated[str, Meta(description="Its name, or its id where it has none.")]
    address: str
    allowed_address_pairs: tuple[str, ...] = ()
    port_security: bool = True


class CloudRecord(_Record, frozen=True, kw_only=True):
    """What a cloud has."""

    host: str
    outcome: Outcome
    reason: str = ""
    routes: Annotated[
        tuple[tuple[str, str, str], ...], Meta(description="Subnet or router, destination, gateway.")
    ] = ()
    ports: tuple[PortRecord, ...] = ()


class RoutingTable(_Record, frozen=True, kw_only=True):
    """The plan, and what every host has of it."""

    schema_version: Literal[1] = 1
    workers: tuple[WorkerRecord, ...]
    hosts: tuple[HostRecord, ...]
    clouds: tuple[CloudRecord, ...] = ()


def build_routing_table(
    plan: NetworkPlan,
    outcomes: tuple[HostOutcome, ...],
    states: Mapping[str, HostState],
    clouds: Mapping[str, CloudState] | None = None,
) -> RoutingTable:
    """Put the plan and what was read side by side.

    Args:
        plan: The cluster's network.
        outcomes: One for each host that was asked for.
        states: What was read, by host; none for a host that could not be read.
        clouds: What was read of clouds, by host.
    """
    workers = tuple(
        WorkerRecord(worker=route.worker, internal_ip=str(route.next_hop), pod_cidr=str(route.destination))
        for route in plan.pod_routes
    )
    hosts = tuple(
        HostRecord(
            host=outcome.host,
            outcome=outcome.outcome,
            reason=outcome.reason,
            routes=host_routes(plan, plan.nodes[outcome.host], states[outcome.host]) if outcome.host in states else (),
            ip_route=states[outcome.host].route_text if outcome.host in states else "",
        )
        for outcome in outcomes
        if outcome.host in plan.nodes
    )
    cloud_records = tuple(
        _cloud_record(plan, outcome, (clouds or {}).get(outcome.host))
        for outcome in outcomes
        if outcome.host in plan.clouds
    )
    return RoutingTable(workers=workers, hosts=hosts, clouds=cloud_records)


def _cloud_record(plan: NetworkPlan, outcome: HostOutcome, state: CloudState | None) -> CloudRecord:
    if state is None:
        return CloudRecord(host=outcome.host, outcome=outcome.outcome, reason=outcome.reason)
    lists = [(f"subnet {subnet.label}", subnet.host_routes) for subnet in state.subnets.values()]
    if state.router is not None:
        lists.append((f"router {state.router.label}", state.router.routes))
    ports = []
    for route in plan.pod_routes:
        port = state.port_of(route.next_hop)
        if port is not None:
            ports.append(
                PortRecord(
                    worker=route.worker,
                    port=port.label,
                    address=str(route.next_hop),
                    allowed_address_pairs=tuple(pair.ip_address for pair in port.allowed_address_pairs),
                    port_security=port.port_security_enabled,
                )
            )
    return CloudRecord(
        host=outcome.host,
        outcome=outcome.outcome,
        reason=outcome.reason,
        routes=tuple((where, str(one.destination), str(one.nexthop)) for where, routes in lists for one in routes),
        ports=tuple(ports),
    )


def host_routes(plan: NetworkPlan, node: Node, state: HostState) -> tuple[RouteRecord, ...]:
    """The routes of a host inside the cluster's range, the kernel's order, and the ones that it lacks at the end."""
    wanted = desired_routes(plan, node, state)
    removed = {change.before for change in plan_routes(plan, node, state, wanted).changes}
    wanted_destinations = {route.destination for route in plan.routes_for(node)}
    records = []
    present = set()
    for routes in state.routes.values():
        for route in routes:
            if not any(contains(cidr, route.destination) for cidr in plan.cluster_cidrs):
                continue
            status = _status(route, node, wrong=str(route) in removed, wanted=route.destination in wanted_destinations)
            if status == "as wanted":
                present.add(route.destination)
            records.append(_record(route, status))
    lacking = {route.destination: route for route in wanted.routes}
    for pod_route in plan.routes_for(node):
        if pod_route.destination in present or any(
            record.destination == str(pod_route.destination) and record.status == "wrong" for record in records
        ):
            continue
        lacked = lacking.get(pod_route.destination)
        records.append(
            RouteRecord(
                destination=str(pod_route.destination),
                next_hop=str(pod_route.next_hop),
                device=(lacked.dev or "") if lacked is not None else "",
                status="missing",
            )
        )
    return tuple(records)


def _status(route: Route, node: Node, *, wrong: bool, wanted: bool) -> Status:
    if wrong:
        return "wrong" if wanted or route.destination in node.pod_cidrs else "stale"
    if route.protocol == KERNEL:
        return "own pods" if route.destination in node.pod_cidrs else "not ours"
    # What the planner leaves in our place is ours, or the same from DHCP.
    in_our_place = route.metric == DEFAULT_METRIC[family_of(route.destination)] and route.tos == ""
    settled = route.protocol == PROTOCOL or (route.protocol == DHCP and in_our_place)
    return "as wanted" if wanted and settled else "not ours"


def _record(route: Route, status: Status) -> RouteRecord:
    return RouteRecord(
        destination=str(route.destination),
        next_hop="" if route.via is None else str(route.via),
        device=route.dev or "",
        protocol=route.protocol,
        metric=route.metric,
        status=status,
    )
