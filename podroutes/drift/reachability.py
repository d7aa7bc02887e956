"""Which pods reach which, derived from what the hosts have: every node as source, every worker as target.

A packet is followed from the source through every machine that the kernels would send it to. It arrives if all of them
forward, the last one is the target, and that one reaches its own pods itself. A detour through another worker arrives,
too: what is wrong with it is a finding, and does not cut anything off. Replies go the other way.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from podroutes.addresses import Family, IPNetwork
from podroutes.drift.findings import Direction
from podroutes.host.state import HostState, Link
from podroutes.inventory.network_plan import NetworkPlan, Node, PodRoute
from podroutes.plan.desired_routes import all_routes, find_device
from podroutes.plan.forwarding import IPV4_FORWARD, IPV6_FORWARD
from podroutes.plan.routes import hijacks_own_pods

_FORWARD: Final[Mapping[Family, str]] = {4: IPV4_FORWARD, 6: IPV6_FORWARD}


def directions(
    plan: NetworkPlan, states: Mapping[str, HostState], among: Container[str] | None = None
) -> tuple[Direction, ...]:
    """Judge every direction between a node and a worker.

    Args:
        plan: The cluster's network.
        states: What was read, by host; a node without a state is not known.
        among: Names of the nodes that are asked for, as source and as target; None for all. Packets go through the
            others all the same.

    Returns:
        One for each ordered pair of a node and another node that is a worker, in the inventory's order.
    """
    network = _Network(plan, states)
    sources = [node for node in plan.nodes.values() if among is None or node.name in among]
    targets = [node for node in sources if node.role == "worker"]
    return tuple(network.direction(source, target) for source in sources for target in targets if source is not target)


class _Obstacle(Struct, frozen=True):
    """Why packets do not arrive; without a cause, why nobody knows whether they do."""

    cause: Literal["", "no route", "no carrier", "forwarding off", "own pods hijacked"]
    reason: str


class _Machine(Struct, frozen=True):
    """A node that was read, and the interfaces of its pod routes."""

    node: Node
    state: HostState
    devices: Mapping[Family, Link]

    def forwards(self, family: Family) -> bool:
        return self.state.sysctls.get(_FORWARD[family]) == "1"


class _Network:
    """The cluster as it is: its machines, whose each internal IP is, and what is wrong at the end of each route."""

    def __init__(self, plan: NetworkPlan, states: Mapping[str, HostState]) -> None:
        self.machines: dict[str, _Machine] = {}
        self.owners = {ip: node.name for node in plan.nodes.values() for ip in node.internal_ips}
        for name, state in states.items():
            found = {family: find_device(plan, plan.nodes[name], state, family) for family in plan.families}
            devices = {family: link for family, link in found.items() if isinstance(link, Link)}
            self.machines[name] = _Machine(plan.nodes[name], state, devices)
            # The inventory may leave a controller's internal IP open.
            for family, link in devices.items():
                for own in link.addresses:
                    if own.ip.version == family:
                        self.owners.setdefault(own.ip, name)
        self.goals: dict[str, list[tuple[PodRoute, _Obstacle | None]]] = {worker.name: [] for worker in plan.workers}
        for route in plan.pod_routes:
            target = self.machines.get(route.worker)
            self.goals[route.worker].append((route, None if target is None else _obstacle_at_target(target, route)))

    def direction(self, source: Node, target: Node) -> Direction:
        unread = [node.name for node in (source, target) if node.name not in self.machines]
        if unread:
            reason = f"{' and '.join(unread)} could not be read"
            return Direction(source=source.name, target=target.name, state="unknown", reason=reason)
        machine = self.machines[source.name]
        obstacles: list[_Obstacle] = []
        for route, at_target in self.goals[target.name]:
            obstacle = self._obstacle_on_the_way(machine, route) or at_target
            if obstacle is not None:
                obstacles.append(obstacle)
        if not obstacles:
            return Direction(source=source.name, target=target.name, state="ok")
        worst = next((obstacle for obstacle in obstacles if obstacle.cause), obstacles[0])
        state: Literal["cut", "unknown"] = "cut" if worst.cause else "unknown"
        return Direction(source=source.name, target=target.name, state=state, cause=worst.cause, reason=worst.reason)

    def _obstacle_on_the_way(self, source: _Machine, route: PodRoute) -> _Obstacle | None:
        """Follow a packet until it is at the worker of a pod route."""
        name, cidr = source.node.name, route.destination
        # A controller's packets are its own; a worker forwards those of its pods.
        if source.node.role == "worker" and not source.forwards(route.family):
            return _Obstacle("forwarding off", f"IP forwarding is off on {name}")
        at = source
        passed: set[str] = set()
        while True:
            after = self._next(at, route)
            if isinstance(after, _Obstacle):
                return after
            if after == route.worker:
                return None
            passed.add(at.node.name)
            if after in passed:
                return _Obstacle("no route", f"routing loop: {at.node.name} sends {cidr} back to {after}")
            if after not in self.machines:
                return _Obstacle("", f"{at.node.name} sends {cidr} through {after}, which was not read")
            at = self.machines[after]
            if not at.forwards(route.family):
                return _Obstacle("forwarding off", f"{name} sends {cidr} through {after}, where IP forwarding is off")

    def _next(self, at: _Machine, route: PodRoute) -> str | _Obstacle:
        """The machine that a packet comes to from another one."""
        name, cidr = at.node.name, route.destination
        lookup = at.state.lookups.get(route.probe)
        if lookup is None:
            return _Obstacle("no route", f"{name} has no route to {cidr}")
        after = None if lookup.via is None else self.owners.get(lookup.via)
        if after is None:
            way = f"to {lookup.dev}" if lookup.via is None else f"via {lookup.via}"
            return _Obstacle("no route", f"{name} sends {cidr} {way}, not via {route.next_hop}")
        device = at.devices.get(route.family)
        if device is not None and lookup.dev != device.name:
            return _Obstacle("no route", f"{name} sends {cidr} on {lookup.dev}, not on {device.name}")
        link = at.state.links.get(lookup.dev or "")
        if link is not None and not link.carrier:
            return _Obstacle("no carrier", f"{link.name} on {name} has no carrier")
        return after


def _obstacle_at_target(target: _Machine, route: PodRoute) -> _Obstacle | None:
    name = target.node.name
    link = target.state.link_with(route.next_hop)
    if link is None:
        return _Obstacle("no route", f"{name} does not have {route.next_hop}")
    if not link.carrier:
        return _Obstacle("no carrier", f"{link.name} on {name} has no carrier")
    if not target.forwards(route.family):
        return _Obstacle("forwarding off", f"IP forwarding is off on {name}")
    if route.destination in _hijacked_pod_cidrs(target):
        return _Obstacle("own pods hijacked", f"{name} has a route to its own pods through a next hop")
    return None


def _hijacked_pod_cidrs(worker: _Machine) -> Iterator[IPNetwork]:
    """Its own pod CIDRs that its kernel sends through a next hop: the first route with the lowest metric does."""
    for cidr in worker.node.pod_cidrs:
        routes = [
            route for route in all_routes(worker.state) if route.destination == cidr and not route.is_for_some_packets
        ]
        if routes and hijacks_own_pods(min(routes, key=lambda route: route.metric)):
            yield cidr
