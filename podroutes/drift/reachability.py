"""Which pods reach which, derived from what the hosts have: every node as source, every worker as target.

A packet is followed from the source through every machine that the kernels would send it to. It arrives if all of them
forward, the last one is the target, and that one reaches its own pods itself. A detour through another worker arrives,
too: what is wrong with it is a finding, and not that it cuts anything off. Replies go the other way.
"""

from collections.abc import Container, Mapping, Set
from functools import cached_property
from typing import Final, Literal

from msgspec import Struct

from podroutes.addresses import Family, IPAddress
from podroutes.drift.findings import Direction
from podroutes.host.routes import Lookup
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node, PodRoute
from podroutes.plan.forwarding import IPV4_FORWARD, IPV6_FORWARD
from podroutes.plan.routes import find_device, own_pod_hijacks

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
    machines = {name: _Machine(plan, plan.nodes[name], state) for name, state in states.items()}
    network = _Network(plan, machines, tuple(_Goal.of(route, machines.get(route.worker)) for route in plan.pod_routes))
    targets = [worker for worker in plan.workers if among is None or worker.name in among]
    found: list[Direction] = []
    for source in plan.nodes.values():
        if among is None or source.name in among:
            astray = network.astray(source)
            found += [
                network.direction(source, target)
                if target.name in astray
                else Direction(source=source.name, target=target.name, state="ok")
                for target in targets
                if source is not target
            ]
    return tuple(found)


class _Obstacle(Struct, frozen=True):
    """Why packets do not arrive; without a cause, why nobody knows whether they do."""

    cause: Literal["", "no route", "no carrier", "forwarding off", "own pods hijacked"]
    reason: str


class _Machine:
    """What matters of one machine, looked at once however many directions it is in."""

    def __init__(self, plan: NetworkPlan, node: Node, state: HostState) -> None:
        self.name = node.name
        self.is_worker = node.role == "worker"
        self.state = state
        devices = {family: find_device(plan, node, state, family).link for family in plan.families}
        self.devices = {family: link.name for family, link in devices.items() if link is not None}
        self._forwards = {family: state.sysctls.get(_FORWARD[family]) == "1" for family in plan.families}
        self._node = node

    def forwards(self, family: Family) -> bool:
        return self._forwards[family]

    def forwards_own(self, family: Family) -> bool:
        """Whether its own packets leave it: those of a worker's pods are forwarded, too."""
        return not self.is_worker or self._forwards[family]

    def sends(self, family: Family) -> bool:
        """Whether its own packets leave it on the device that is meant for them."""
        return self.forwards_own(family) and self.state.links[self.devices[family]].carrier

    @cached_property
    def hijacked(self) -> frozenset[str]:
        """Its own pod CIDRs that its kernel sends through a next hop: the first route with the lowest metric does."""
        hijacks = set(own_pod_hijacks(self._node, self.state))
        chosen = set()
        for cidr in {route.destination for route in hijacks}:
            routes = [route for routes in self.state.routes.values() for route in routes if route.tos == ""]
            first = min((route for route in routes if route.destination == cidr), key=lambda route: route.metric)
            if first in hijacks:
                chosen.add(str(cidr))
        return frozenset(chosen)


class _Goal(Struct, frozen=True):
    """A worker's pod CIDR as the goal of packets: what is the same wherever they come from."""

    target: str
    destination: str
    next_hop: IPAddress
    family: Family
    probe: IPAddress
    at_target: _Obstacle | None

    @classmethod
    def of(cls, route: PodRoute, target: _Machine | None) -> "_Goal":
        obstacle = None if target is None else _at_target(target, route)
        return cls(route.worker, str(route.destination), route.next_hop, route.family, route.probe, obstacle)


class _Network(Struct, frozen=True, dict=True):
    plan: NetworkPlan
    machines: Mapping[str, _Machine]
    goals: tuple[_Goal, ...]

    @cached_property
    def goals_of(self) -> Mapping[str, list[_Goal]]:
        """The pod CIDRs of each worker."""
        goals: dict[str, list[_Goal]] = {worker.name: [] for worker in self.plan.workers}
        for goal in self.goals:
            goals[goal.target].append(goal)
        return goals

    @cached_property
    def unread(self) -> Set[str]:
        """Workers that nothing is known of."""
        return {worker.name for worker in self.plan.workers} - self.machines.keys()

    @cached_property
    def barred(self) -> Set[str]:
        """Workers that get no packets, whoever sends them."""
        return {goal.target for goal in self.goals if goal.at_target is not None}

    @cached_property
    def owners(self) -> dict[IPAddress, str]:
        """Whose each internal IP is; a controller's that the inventory leaves open is what the controller has."""
        owners = {}
        for node in self.plan.nodes.values():
            for family in self.plan.families:
                internal_ip = node.internal_ip(family)
                if internal_ip is not None:
                    owners[internal_ip] = node.name
        for name, machine in self.machines.items():
            for family, device in machine.devices.items():
                for own in machine.state.links[device].addresses:
                    if own.ip.version == family:
                        owners.setdefault(own.ip, name)
        return owners

    def astray(self, source: Node) -> Set[str]:
        """Workers that may not get a node's packets: all but those that it sends them to itself, on its usual device.

        These are few in a cluster that is nearly right, so that only theirs need be followed.
        """
        machine = self.machines.get(source.name)
        if machine is None:
            return self.goals_of.keys()
        devices = {family: name for family, name in machine.devices.items() if machine.sends(family)}
        lookups = machine.state.lookups
        if len(devices) == len(self.plan.families):
            _, expected = self.plan.ways_for(source, devices)
            if tuple(lookups.values()) == expected:
                return self.barred | self.unread
        astray = {
            goal.target
            for goal in self.goals
            if goal.at_target is not None
            or (device := devices.get(goal.family)) is None
            or lookups.get(goal.probe) != Lookup(goal.probe, goal.next_hop, device)
        }
        return astray | self.unread

    def direction(self, source: Node, target: Node) -> Direction:
        unread = [node.name for node in (source, target) if node.name not in self.machines]
        if unread:
            reason = f"{' and '.join(unread)} could not be read"
            return Direction(source=source.name, target=target.name, state="unknown", reason=reason)
        worst: _Obstacle | None = None
        for goal in self.goals_of[target.name]:
            found = self._obstacle(self.machines[source.name], target.name, goal)
            if found is not None and (worst is None or (not worst.cause and found.cause)):
                worst = found
        if worst is None:
            return Direction(source=source.name, target=target.name, state="ok")
        state: Literal["cut", "unknown"] = "cut" if worst.cause else "unknown"
        return Direction(source=source.name, target=target.name, state=state, cause=worst.cause, reason=worst.reason)

    def _obstacle(self, source: _Machine, target: str, goal: _Goal) -> _Obstacle | None:
        if not source.forwards_own(goal.family):
            return _Obstacle("forwarding off", f"{source.name} does not forward")
        return self._on_the_way(source, target, goal) or goal.at_target

    def _on_the_way(self, source: _Machine, target: str, goal: _Goal) -> _Obstacle | None:
        """Follow a packet until it is at the target."""
        at = source
        passed: set[str] = set()
        while True:
            after = self._next(at, goal)
            if isinstance(after, _Obstacle):
                return after
            if after == target:
                return None
            passed.add(at.name)
            if after in passed:
                return _Obstacle("no route", f"{at.name} sends {goal.destination} back to {after}, in a circle")
            if after not in self.machines:
                way = f"{at.name} sends {goal.destination} through {after}"
                return _Obstacle("", f"{way}, which was not read")
            at = self.machines[after]
            if not at.forwards(goal.family):
                way = f"{source.name} sends {goal.destination} through {at.name}"
                return _Obstacle("forwarding off", f"{way}, which does not forward")

    def _next(self, at: _Machine, goal: _Goal) -> str | _Obstacle:
        """The machine that a packet comes to from another one."""
        lookup = at.state.lookups.get(goal.probe)
        if lookup is None:
            return _Obstacle("no route", f"{at.name} has no way to {goal.destination}")
        if lookup.via is None:
            sends = f"{at.name} sends {goal.destination} to {lookup.dev}"
            return _Obstacle("no route", f"{sends}, not via {goal.next_hop}")
        after = self.owners.get(lookup.via)
        if after is None:
            sends = f"{at.name} sends {goal.destination} via {lookup.via}"
            return _Obstacle("no route", f"{sends}, not via {goal.next_hop}")
        device = at.devices.get(goal.family)
        if device is not None and lookup.dev != device:
            return _Obstacle("no route", f"{at.name} sends {goal.destination} on {lookup.dev}, not on {device}")
        link = at.state.links.get(lookup.dev or "")
        if link is not None and not link.carrier:
            return _Obstacle("no carrier", f"{lookup.dev} of {at.name} has no carrier")
        return after


def _at_target(target: _Machine, route: PodRoute) -> _Obstacle | None:
    link = target.state.link_with(route.next_hop)
    if link is None:
        return _Obstacle("no route", f"{target.name} does not have {route.next_hop}")
    if not link.carrier:
        return _Obstacle("no carrier", f"{link.name} of {target.name} has no carrier")
    if not target.forwards(route.family):
        return _Obstacle("forwarding off", f"{target.name} does not forward")
    if str(route.destination) in target.hijacked:
        return _Obstacle("own pods hijacked", f"{target.name} sends its own pods' packets away")
    return None
