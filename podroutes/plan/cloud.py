"""The cloud's side: pod routes on a subnet or a router, and ports that let pod traffic through.

What is ours there is every destination inside the cluster's range: Neutron has no protocol number to mark a route with.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from podroutes.addresses import IPAddress, IPNetwork, family_of, parse_address, parse_network, sort_key
from podroutes.host.changes import Change, HostPlan
from podroutes.host.cloud import AddressPair, CloudState, HostRoute, PortState
from podroutes.inventory.network_plan import Cloud, NetworkPlan, PodRoute

# Neutron's own default of `[DEFAULT] max_allowed_address_pair`.
MAX_ADDRESS_PAIRS = 10


# What a drift check calls what each change fixes.
_DRIFT_CLASSES = {
    ("subnet", "add"): "cloud-route-missing",
    ("subnet", "replace"): "cloud-route-wrong",
    ("subnet", "remove"): "cloud-route-stale",
    ("ports", "add"): "address-pair-missing",
    ("ports", "remove"): "address-pair-stale",
}


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


def _is_ours(plan: NetworkPlan, network: IPNetwork) -> bool:
    """Whether it is or could be a pod CIDR; the whole range is what other ways of networking put there."""
    if network in plan.cluster_cidrs:
        return any(route.destination == network for route in plan.pod_routes)
    return plan.owns(network)


def plan_cloud(plan: NetworkPlan, cloud: Cloud, state: CloudState, *, remove: bool = False) -> CloudPlan:
    """Plan one cloud.

    Args:
        plan: The cluster's network.
        cloud: What the inventory says of the cloud.
        state: What was read.
        remove: Take everything of ours back instead.

    Returns:
        What differs. With conflicts nothing is to be done.
    """
    wanted = () if remove else plan.pod_routes
    conflicts = [] if remove else [*_conflicts(plan, cloud, state)]
    route_changes, host_routes, router_add, router_remove = _plan_routes(plan, cloud, state, wanted)
    if not remove and cloud.route_target == "subnet":
        conflicts += _over_limit(cloud, state, host_routes)
    pair_changes, pairs, notes = _plan_pairs(plan, state, wanted) if cloud.allowed_address_pairs else ([], {}, [])
    if conflicts:
        return CloudPlan(HostPlan(conflicts=tuple(conflicts)))
    # Ports first: routes to ports that drop the packets help nobody. They are taken back in the opposite order.
    changes = (*pair_changes, *route_changes)
    if remove:
        changes = tuple(
            replace(change, reason="ours: it lies inside the cluster's range")
            for change in (*route_changes, *pair_changes)
        )
    host_plan = HostPlan(changes, notes=tuple(notes))
    router_id = state.router.id if state.router is not None else ""
    return CloudPlan(host_plan, host_routes, router_id, router_add, router_remove, pairs)


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
        if count > limit:
            yield (
                f"subnet {subnet.label} would have {count} host routes, {count - limit} more than its limit of {limit}"
                ": use route_target: router, larger node CIDRs (a smaller node_cidr_mask_size) on fewer workers, "
                "or have the operator raise max_subnet_host_routes and write the new limit in the inventory"
            )


def _plan_routes(
    plan: NetworkPlan, cloud: Cloud, state: CloudState, wanted: Sequence[PodRoute]
) -> tuple[list[Change], dict[str, tuple[HostRoute, ...]], tuple[HostRoute, ...], tuple[HostRoute, ...]]:
    to_router = cloud.route_target == "router"
    changes: list[Change] = []
    lists: dict[str, tuple[HostRoute, ...]] = {}
    for family, subnet in state.subnets.items():
        target = [] if to_router else _as_host_routes(wanted, family)
        result, found = _reconcile(plan, subnet.host_routes, target, f"subnet {subnet.label}")
        changes += found
        if found:
            lists[subnet.id] = result
    add: tuple[HostRoute, ...] = ()
    remove: tuple[HostRoute, ...] = ()
    if state.router is not None:
        target = _as_host_routes(wanted, None) if to_router else []
        result, found = _reconcile(plan, state.router.routes, target, f"router {state.router.label}")
        changes += found
        add = tuple(route for route in result if route not in state.router.routes)
        remove = tuple(route for route in state.router.routes if route not in result)
    return changes, lists, add, remove


def _as_host_routes(routes: Sequence[PodRoute], family: int | None) -> list[HostRoute]:
    return [
        HostRoute(route.destination, route.next_hop) for route in routes if family is None or route.family == family
    ]


def _reconcile(
    plan: NetworkPlan, current: Sequence[HostRoute], wanted: Sequence[HostRoute], where: str
) -> tuple[tuple[HostRoute, ...], list[Change]]:
    """The list as it should be: foreign routes as they are, ours as wanted; and what that changes."""
    foreign = tuple(route for route in current if not _is_ours(plan, route.destination))
    ours = [route for route in current if _is_ours(plan, route.destination)]
    changes: list[Change] = []
    for route in wanted:
        present = [one for one in ours if one.destination == route.destination]
        if route in present:
            continue
        before = "; ".join(str(one) for one in present)
        changes.append(
            _change(
                "subnet",
                "replace" if present else "add",
                f"{where}: {route.destination}",
                before,
                str(route),
                "wrong next hop" if present else "missing",
            )
        )
    kept = set(wanted)
    destinations = {route.destination for route in wanted if route not in ours}
    for one in ours:
        # A wrong route to a destination that is replaced is told there already.
        if one not in kept and one.destination not in destinations:
            reason = (
                "a second next hop"
                if any(one.destination == w.destination for w in wanted)
                else "no worker has this pod CIDR"
            )
            changes.append(_change("subnet", "remove", f"{where}: {one.destination}", str(one), "", reason))
    return (*foreign, *wanted), changes


def _plan_pairs(
    plan: NetworkPlan, state: CloudState, wanted: Sequence[PodRoute]
) -> tuple[list[Change], dict[str, tuple[AddressPair, ...]], list[str]]:
    changes: list[Change] = []
    lists: dict[str, tuple[AddressPair, ...]] = {}
    notes: list[str] = []
    cidrs: dict[str, list[IPNetwork]] = {}
    for route in wanted:
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
        result, found = _reconcile_pairs(plan, port, own)
        if len(result) > MAX_ADDRESS_PAIRS and found:
            notes.append(
                f"port {port.label} would have {len(result)} address pairs, more than Neutron's usual "
                f"{MAX_ADDRESS_PAIRS}: if it refuses, remove foreign pairs or ask the operator"
            )
        if found:
            changes += found
            lists[port.id] = result
    return changes, lists, notes


def _reconcile_pairs(
    plan: NetworkPlan, port: PortState, wanted: Sequence[IPNetwork]
) -> tuple[tuple[AddressPair, ...], list[Change]]:
    where = f"port {port.label}"
    kept: list[AddressPair] = []
    present: set[IPNetwork] = set()
    changes: list[Change] = []
    for pair in port.allowed_address_pairs:
        network = _pair_network(pair)
        if network is None or not _is_ours(plan, network) or network in wanted:
            kept.append(pair)
            # A pair with another MAC address lets nothing through that this port sends.
            if network is not None and _is_of_port(pair, port):
                present.add(network)
        else:
            changes.append(
                _change("ports", "remove", f"{where}: {network}", str(network), "", "this port has no such pod CIDR")
            )
    for cidr in sorted(wanted, key=sort_key):
        if cidr not in present:
            kept.append(AddressPair(ip_address=str(cidr)))
            changes.append(
                _change("ports", "add", f"{where}: {cidr}", "", str(cidr), "port security drops pod traffic without it")
            )
    return tuple(kept), changes


def _is_of_port(pair: AddressPair, port: PortState) -> bool:
    return pair.mac_address is None or pair.mac_address.lower() == port.mac_address.lower()


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
    subnet = state.subnets.get(route.family)
    routes = (subnet.host_routes if subnet is not None else ()) if cloud.route_target == "subnet" else ()
    if cloud.route_target == "router" and state.router is not None:
        routes = state.router.routes
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


def _change(  # noqa: PLR0917  # the fields of a change, in their order
    layer: Literal["subnet", "ports"],
    action: Literal["add", "replace", "remove"],
    subject: str,
    before: str,
    after: str,
    reason: str,
) -> Change:
    drift = _DRIFT_CLASSES[layer, action]
    return Change(layer, action, subject, before, after, reason, (), drift)


def lease_note(plan: NetworkPlan, cloud: Cloud) -> str:
    """What a change of host routes means for the machines, and until when."""
    if cloud.route_target == "router":
        return "the router sends on what machines send to it; nothing has to be renewed"
    without = [node.name for node in plan.nodes.values() if not (node.manage_routes and node.routes_service)]
    if not without:
        return (
            "machines learn the subnet's routes at their next DHCP renewal; "
            "until then the kernel routes that this software gives them serve"
        )
    return (
        "machines learn the subnet's routes at their next DHCP renewal; until then these have none after a reboot, "
        f"as the inventory wants it: {', '.join(without)}"
    )
