"""The routing table in the forms that people and programs read."""

from collections.abc import Iterable, Mapping
from typing import Final

from podroutes.addresses import IPNetwork
from podroutes.host.routes import KERNEL, Route
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.outcomes import FAILURES
from podroutes.report.routing_records import RouteRecord, RoutingTable
from podroutes.report.styled import Console, Styled
from podroutes.report.table import Cell, print_table

_STATUS_STYLES: Final = {"up to date": "green", "own pods": "green", "missing": "bold red", "wrong": "bold red"}


def print_as_table(console: Console, table: RoutingTable) -> None:
    """Print the plan, then every host's routes with what they are."""
    print_table(
        console,
        ("WORKER", "INTERNAL IP", "POD CIDR"),
        [(worker.worker, worker.internal_ip, worker.pod_cidr) for worker in table.workers],
    )
    console.print()
    rows: list[tuple[Cell, ...]] = []
    for host in table.hosts:
        if host.outcome in FAILURES:
            rows.append((host.host, "", "", "", "", "", Styled(f"{host.outcome}: {host.reason}", "bold red")))
        rows += [_row(host.host, route) for route in host.routes]
    print_table(console, ("HOST", "DESTINATION", "NEXT HOP", "DEVICE", "PROTO", "METRIC", "STATUS"), rows)


def print_clouds(console: Console, table: RoutingTable) -> None:
    """Print each cloud's routes as `openstack subnet show` does, and each worker beside its port."""
    for cloud in table.clouds:
        console.print()
        if cloud.outcome in FAILURES:
            console.print(Styled(f"{cloud.host}: {cloud.outcome}: {cloud.reason}", "bold red"))
            continue
        rows = [
            (where, f"destination='{destination}', gateway='{gateway}'") for where, destination, gateway in cloud.routes
        ]
        print_table(console, (cloud.host.upper(), "HOST ROUTES"), rows or [("-", "none")])
        console.print()
        print_table(
            console,
            ("WORKER", "PORT", "ADDRESS", "ALLOWED ADDRESS PAIRS"),
            [
                (
                    port.worker,
                    port.port,
                    port.address,
                    ", ".join(port.allowed_address_pairs) if port.port_security else "port security is off",
                )
                for port in cloud.ports
            ],
        )


def _row(host: str, route: RouteRecord) -> tuple[Cell, ...]:
    return (
        host,
        route.destination,
        route.next_hop or "-",
        route.device or "-",
        "-" if route.protocol is None else "kernel" if route.protocol == KERNEL else str(route.protocol),
        "-" if route.metric is None else str(route.metric),
        Styled(route.status, _STATUS_STYLES.get(route.status, "yellow")),
    )


def print_as_text(console: Console, table: RoutingTable) -> None:
    """Print `INTERNAL_IP POD_CIDR` for each worker, then `ip route` of each host under its name."""
    for worker in table.workers:
        console.print(f"{worker.internal_ip} {worker.pod_cidr}")
    for host in table.hosts:
        console.print(f"==> {host.host}")
        console.print(f"{host.outcome}: {host.reason}" if host.outcome in FAILURES else host.ip_route)


def print_as_gcloud(console: Console, plan: NetworkPlan, states: Mapping[str, HostState]) -> None:
    """Print what the hosts have, each route once, in the columns of `gcloud compute routes list`.

    PRIORITY is the route's metric: the kernel's, which prefers the lowest as Google's network does.
    """
    rows = sorted({row for state in states.values() for row in _gcloud_rows(plan, state)})
    print_table(console, ("NAME", "NETWORK", "DEST_RANGE", "NEXT_HOP", "PRIORITY"), [list(row) for row in rows])


def _gcloud_rows(plan: NetworkPlan, state: HostState) -> Iterable[tuple[str, str, str, str, str]]:
    for routes in state.routes.values():
        for route in routes:
            row = _gcloud_route(plan, route)
            if row is not None:
                name, next_hop = row
                yield (
                    f"{name}-{_slug(route.destination)}",
                    plan.network,
                    str(route.destination),
                    next_hop,
                    str(route.metric),
                )


def _gcloud_route(plan: NetworkPlan, route: Route) -> tuple[str, str] | None:
    """Name and next hop; None for a route that is no concern of the cluster's."""
    if route.destination in plan.node_networks and route.via is None:
        return "default-route", plan.network
    if route.via is None:
        return None
    if route.destination.prefixlen == 0:
        return "default-route", str(route.via)
    return ("kubernetes-route", str(route.via)) if plan.owns(route.destination) else None


def _slug(network: IPNetwork) -> str:
    return str(network).replace(".", "-").replace("/", "-").replace(":", "-")
