"""Hosts that are as provisioning leaves them, to be changed by what a test is about."""

from collections.abc import Mapping

from msgspec.structs import replace

from podroutes.host.changes import HostPlan
from podroutes.host.managed_files import DATA_PATH, SCRIPT_PATH, SYSCTL_PATH, UNIT_PATH
from podroutes.host.routes import KERNEL, LINK_SCOPE, Lookup, Route
from podroutes.host.state import FileState, HostState, UnitState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import desired_routes
from podroutes.plan.forwarding import plan_forwarding
from podroutes.plan.host import Composition
from podroutes.plan.routes import plan_routes
from podroutes.plan.routes_service import ServiceFiles, render_data
from tasks.provision import provisioning
from tests.unit.podroutes.builders import link, routes_by_family, state

FILES = ServiceFiles(script="#!/bin/sh\n# Managed by pod-routes\n", unit="# Managed by pod-routes\n[Unit]\n")
ON = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}
MASKS = {4: 24, 6: 64}


def work_of(plan: NetworkPlan) -> Composition:
    """What provisioning would do."""
    return provisioning(plan, FILES)


def planned_routes(plan: NetworkPlan, node: Node, found: HostState) -> HostPlan:
    """The plan of one host's routes."""
    return plan_routes(plan, node, found, desired_routes(plan, node, found))


def healthy(plan: NetworkPlan, name: str) -> HostState:
    """A host of the plan with everything that it should have."""
    node = plan.nodes[name]
    bare = _bare(plan, node)
    found = desired_routes(plan, node, bare)
    assert found.problems == ()
    wanted = found.routes
    routes = with_routes(bare, *[route for family in bare.routes.values() for route in family], *wanted)
    lookups = {one.probe: Lookup(one.probe, one.next_hop, "eth0") for one in plan.routes_for(node)}
    files = {
        DATA_PATH: FileState(render_data(plan, wanted, node.pod_cidrs), 0o644, 0, 0),
        SCRIPT_PATH: FileState(FILES.script, 0o755, 0, 0),
        UNIT_PATH: FileState(FILES.unit, 0o644, 0, 0),
        SYSCTL_PATH: FileState(_sysctl_file(plan, bare), 0o644, 0, 0),
    }
    unit = UnitState("loaded", "active", "enabled", properties={"FragmentPath": (UNIT_PATH,)})
    return replace(routes, lookups=lookups, files=files, unit=unit)


def everyone(plan: NetworkPlan, **changed: HostState) -> dict[str, HostState]:
    """All hosts of the plan; those named `worker_0`, say, in the state that is given."""
    others = {name: healthy(plan, name) for name in plan.nodes}
    return others | {name.replace("_", "-"): found for name, found in changed.items()}


def with_routes(found: HostState, *routes: Route | str) -> HostState:
    """The host with other routes."""
    return replace(found, routes=routes_by_family(routes))


def plus_routes(found: HostState, *routes: Route | str) -> HostState:
    """The host with more routes, after those that it has."""
    return with_routes(found, *[route for family in found.routes.values() for route in family], *routes)


def minus_routes(found: HostState, *destinations: str) -> HostState:
    """The host without the routes of ours to some destinations."""
    kept = [
        route
        for family in found.routes.values()
        for route in family
        if str(route.destination) not in destinations or route.protocol == KERNEL
    ]
    return with_routes(found, *kept)


def with_sysctls(found: HostState, sysctls: Mapping[str, str]) -> HostState:
    """The host with some kernel parameters set otherwise."""
    return replace(found, sysctls=dict(found.sysctls) | dict(sysctls))


def with_unit(found: HostState, **changed: object) -> HostState:
    """The host with `routes.service` in another state."""
    unit = replace(found.unit, **changed)  # the fields' own types
    return replace(found, unit=unit)


def _bare(plan: NetworkPlan, node: Node) -> HostState:
    internal = [ip for family in plan.families if (ip := node.internal_ip(family)) is not None]
    links = [link("eth0", *(f"{ip}/{MASKS[4 if ip.version == 4 else 6]}" for ip in internal))]
    connected = []
    if node.pod_cidrs:
        links.append(link("cnio0", *(f"{cidr[1]}/{cidr.prefixlen}" for cidr in node.pod_cidrs)))
        connected = [
            Route(
                cidr,
                None,
                "cnio0",
                KERNEL,
                0 if cidr.version == 4 else 256,
                scope=LINK_SCOPE if cidr.version == 4 else 0,
            )
            for cidr in node.pod_cidrs
        ]
    return state(*links, routes=connected, sysctls=ON)


def _sysctl_file(plan: NetworkPlan, bare: HostState) -> str:
    return next(change.after for change in plan_forwarding(plan, bare).changes if change.subject == SYSCTL_PATH)
