"""The cloud's side: pod routes on a subnet or a router, and ports that let pod traffic through.

What is ours there is every destination inside the cluster's range: Neutron has no protocol number to mark a route with.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from podroutes.addresses import IPAddress, IPNetwork, family_of, parse_address, parse_network, sort_key
from podroutes.host.changes import Change, HostPlan
from podroutes.host.cloud import AddressPair, CloudState, HostRoute, PortState
from podroutes.inventory.network_plan import Cloud, NetworkPlan, PodRoute

# Neutron's own default of `[DEFAULT] max_allowed_address_pair`.
MAX_ADDRESS_PAIRS: Final = 10
_ROUTE_DRIFT: Final = {"add": "cloud-route-missing", "replace": "cloud-route-wrong", "remove": "cloud-route-stale"}


class CloudPlan(Struct, frozen=True):
    """What a cloud needs.

    Attributes:
        host_plan: The changes, conflicts and notes, as for every other host.
        host_routes: Whole lists of the subnets that differ, by the subnet's id.
        router_id: Of the router, where there is one.
        router_add: Extra routes that the router lacks.
        router_remove: Extra routes of ours that it should not have.
        pairs: Whole lists of the ports that differ, by the port's id.
    """

    host_plan: HostPlan = field(default_factory=HostPlan)
    host_routes: Mapping[str, tuple[HostRoute, ...]] = field(default_factory=dict)
    router_id: str = ""
    router_add: tuple[HostRoute, ...] = ()
    router_remove: tuple[HostRoute, ...] = ()
    pairs: Mapping[str, tuple[AddressPair, ...]] = field(default_factory=dict)

    @property
    def has_routes_to_write(self) -> bool:
        """Whether a subnet or the router has to be written."""
        return bool(self.host_routes or self.router_add or self.router_remove)

    @property
    def differs(self) -> bool:
        """Whether anything has to be written."""
        return bool(self.pairs) or self.has_routes_to_write


def plan_cloud(plan: NetworkPlan, cloud: Cloud, state: CloudState, *, remove: bool = False) -> CloudPlan:
    """Plan one cloud.

    Args:
        plan: The cluster's network.
        cloud: What the inventory says of the cloud.
        state: What was read.
        remove: Remove everything of ours instead.

    Returns:
        What differs. With conflicts nothing is to be done.
    """
    desired = () if remove else plan.pod_routes
    routes = [HostRoute(route.destination, route.next_hop) for route in desired]
    to_router = cloud.route_target == "router"
    route_changes: list[Change] = []
    host_routes: dict[str, tuple[HostRoute, ...]] = {}
    for family, subnet in state.subnets.items():
        expected = [] if to_router else [route for route in routes if family_of(route.destination) == family]
        found = [*_route_changes(plan, subnet.host_routes, expected, f"subnet {subnet.label}")]
        route_changes += found
        if found:
            host_routes[subnet.id] = (*_foreign(plan, subnet.host_routes), *expected)
    router_id = ""
    router_add: tuple[HostRoute, ...] = ()
    router_remove: tuple[HostRoute, ...] = ()
    if state.router is not None:
        current, expected = state.router.routes, routes if to_router else []
        route_changes += _route_changes(plan, current, expected, f"router {state.router.label}")
        router_id = state.router.id
        router_add = tuple(route for route in expected if route not in current)
        kept = (*_foreign(plan, current), *expected)
        router_remove = tuple(route for route in current if route not in kept)
    pair_changes, pairs, notes = _plan_pairs(plan, state, desired) if cloud.allowed_address_pairs else ([], {}, [])
    conflicts = () if remove else (*_conflicts(plan, cloud, state), *_over_limit(cloud, state, host_routes))
    if conflicts:
        return CloudPlan(HostPlan(conflicts=conflicts))
    # Ports first: routes to ports that drop the packets help nobody. They are removed in the opposite order.
    changes = [*pair_changes, *route_changes]
    if remove:
        reason = "ours: it lies inside the cluster's range"
        changes = [replace(change, reason=reason) for change in (*route_changes, *pair_changes)]
    host_plan = HostPlan(tuple(changes), notes=tuple(notes))
    return CloudPlan(host_plan, host_routes, router_id, router_add, router_remove, pairs)


def _is_ours(plan: NetworkPlan, network: IPNetwork) -> bool:
    """Whether it is or could be a pod CIDR; the whole range is what other ways of networking put there."""
    if network in plan.cluster_cidrs:
        return network in plan.destinations
    return plan.owns(network)


def _conflicts(plan: NetworkPlan, cloud: Cloud, state: CloudState) -> Iterator[str]:
    for network in plan.node_networks:
        family = family_of(network)
        subnet = state.subnets.get(family)
        if subnet is None:
            yield f"none of the subnets {', '.join(cloud.subnets)} is an IPv{family} one; name one below data.subnet"
            continue
        if subnet.cidr != network:
            yield f"subnet {subnet.label} is {subnet.cidr}, not the inventory's node_network {network}: fix one"
        if cloud.route_target == "subnet" and not subnet.enable_dhcp:
            yield (
                f"subnet {subnet.label} has DHCP off, so machines never learn its host routes: "
                "turn it on, or write route_target: router"
            )
    for route in plan.pod_routes:
        subnet = state.subnets.get(route.family)
        if subnet is not None and state.port_of(route.next_hop) is None:
            yield (
                f"no port on subnet {subnet.label} has {route.next_hop}, the internal IP of {route.worker}: "
                "check its internal_ips, or create the port"
            )


def _over_limit(cloud: Cloud, state: CloudState, host_routes: Mapping[str, tuple[HostRoute, ...]]) -> Iterator[str]:
    for subnet in state.subnets.values():
        count, limit = len(host_routes.get(subnet.id, ())), cloud.max_subnet_host_routes
        if cloud.route_target == "subnet" and count > limit:
            yield (
                f"subnet {subnet.label} would have {count} host routes, {count - limit} more than its limit of {limit}"
                ": use route_target: router, larger node CIDRs (a smaller node_cidr_mask_size) on fewer workers, "
                "or have the operator raise max_subnet_host_routes and write the new limit in the inventory"
            )


def _foreign(plan: NetworkPlan, current: Sequence[HostRoute]) -> list[HostRoute]:
    return [route for route in current if not _is_ours(plan, route.destination)]


def _route_changes(
    plan: NetworkPlan, current: Sequence[HostRoute], desired: Sequence[HostRoute], where: str
) -> Iterator[Change]:
    """What a list of routes needs: ours as desired, foreign routes as they are."""
    expected = {route.destination: route for route in desired}
    ours: dict[IPNetwork, list[HostRoute]] = {destination: [] for destination in expected}
    for route in current:
        if _is_ours(plan, route.destination):
            ours.setdefault(route.destination, []).append(route)
    for destination, present in ours.items():
        subject, after = f"{where}: {destination}", expected.get(destination)
        if after is not None and after not in present:
            reason = "wrong next hop" if present else "missing"
            yield _change("replace" if present else "add", subject, "; ".join(map(str, present)), str(after), reason)
            continue
        reason = "no worker has this pod CIDR" if after is None else "a second next hop"
        for route in present:
            if route != after:
                yield _change("remove", subject, str(route), "", reason)


def _change(action: Literal["add", "replace", "remove"], subject: str, before: str, after: str, reason: str) -> Change:
    return Change("subnet", action, subject, before, after, reason, (), _ROUTE_DRIFT[action])


def _plan_pairs(
    plan: NetworkPlan, state: CloudState, desired: Sequence[PodRoute]
) -> tuple[list[Change], dict[str, tuple[AddressPair, ...]], list[str]]:
    changes: list[Change] = []
    lists: dict[str, tuple[AddressPair, ...]] = {}
    notes: list[str] = []
    cidrs: dict[str, list[IPNetwork]] = {}
    for route in desired:
        port = state.port_of(route.next_hop)
        if port is not None:
            cidrs.setdefault(port.id, []).append(route.destination)
    # As the workers are listed, whatever Neutron's order is.
    order = {port_id: number for number, port_id in enumerate(cidrs)}
    for port in sorted(state.ports, key=lambda port: order.get(port.id, len(order))):
        own = cidrs.get(port.id, [])
        if not port.port_security_enabled:
            if own:
                notes.append(f"port {port.label} has port security off: pod traffic passes, no address pair is needed")
            continue
        pairs, found = _reconcile_pairs(plan, port, own)
        if not found:
            continue
        changes += found
        lists[port.id] = pairs
        if len(pairs) > MAX_ADDRESS_PAIRS:
            notes.append(
                f"port {port.label} would have {len(pairs)} address pairs, more than Neutron's usual "
                f"{MAX_ADDRESS_PAIRS}: if it refuses, remove foreign pairs or ask the operator"
            )
    return changes, lists, notes


def _reconcile_pairs(
    plan: NetworkPlan, port: PortState, desired: Sequence[IPNetwork]
) -> tuple[tuple[AddressPair, ...], list[Change]]:
    """A port's pairs as they should be, and what that changes."""
    where = f"port {port.label}"
    pairs: list[AddressPair] = []
    present: set[IPNetwork] = set()
    changes: list[Change] = []
    for pair in port.allowed_address_pairs:
        network = _pair_network(pair)
        if network is not None and _is_ours(plan, network) and network not in desired:
            subject, reason = f"{where}: {network}", "this port has no such pod CIDR"
            changes.append(Change("ports", "remove", subject, str(network), "", reason, (), "address-pair-stale"))
            continue
        pairs.append(pair)
        # A pair with another MAC address lets nothing through that this port sends.
        is_of_port = pair.mac_address is None or pair.mac_address.lower() == port.mac_address.lower()
        if network is not None and is_of_port:
            present.add(network)
    for cidr in sorted(set(desired) - present, key=sort_key):
        pairs.append(AddressPair(ip_address=str(cidr)))
        subject, reason = f"{where}: {cidr}", "port security drops pod traffic without it"
        changes.append(Change("ports", "add", subject, "", str(cidr), reason, (), "address-pair-missing"))
    return tuple(pairs), changes


def pairs_to_take_back(
    plan: NetworkPlan, cloud: Cloud, before: CloudState, now: CloudState
) -> Mapping[str, tuple[AddressPair, ...]]:
    """After a change that failed: the pairs of workers whose route is not there either, as they were before.

    Args:
        plan: The cluster's network.
        cloud: What the inventory says of the cloud.
        before: What was read before the change.
        now: What was read after it; pairs that somebody else has added meanwhile stay.

    Returns:
        Whole lists of the ports that differ, by the port's id.
    """
    lists: dict[str, tuple[AddressPair, ...]] = {}
    for route in plan.pod_routes:
        port, port_before = now.port_of(route.next_hop), before.port_of(route.next_hop)
        if port is None or port_before is None or _is_in_place(route, cloud, now):
            continue
        pairs = lists.get(port.id, port.allowed_address_pairs)
        kept = tuple(
            pair
            for pair in pairs
            if _pair_network(pair) != route.destination or pair in port_before.allowed_address_pairs
        )
        if kept != pairs:
            lists[port.id] = kept
    return lists


def _is_in_place(route: PodRoute, cloud: Cloud, state: CloudState) -> bool:
    if cloud.route_target == "router":
        routes = () if state.router is None else state.router.routes
    else:
        subnet = state.subnets.get(route.family)
        routes = () if subnet is None else subnet.host_routes
    return HostRoute(route.destination, route.next_hop) in routes


def _pair_network(pair: AddressPair) -> IPNetwork | None:
    """A pair's address as a network; None for what only Neutron understands."""
    text = pair.ip_address
    try:
        if "/" not in text:
            address: IPAddress = parse_address(text)
            text = f"{address}/{address.max_prefixlen}"
        return parse_network(text)
    except ValueError:
        return None


def lease_note(plan: NetworkPlan, cloud: Cloud) -> str:
    """What a change of host routes means for the machines, and until when."""
    if cloud.route_target == "router":
        return "the router sends on what machines send to it; nothing has to be renewed"
    without = [node.name for node in plan.nodes.values() if not (node.manage_routes and node.routes_service)]
    if not without:
        return (
            "machines learn the subnet's routes at their next DHCP renewal; "
            "until then they use the kernel routes that this software sets"
        )
    return (
        "machines learn the subnet's routes at their next DHCP renewal; until then, after a reboot, these have none "
        f"because the inventory says so: {', '.join(without)}"
    )
