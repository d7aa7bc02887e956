"""The cluster's network as it should be: who the machines are, and which pod CIDR is behind which of them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Literal, TypeVar

from msgspec import Struct, field

from podroutes.addresses import (
    Family,
    IPAddress,
    IPNetwork,
    contains,
    family_of,
    parse_address,
    parse_network,
    sort_key,
)
from podroutes.host.routes import DEFAULT_METRIC, PROTOCOL, Lookup, Route

Role = Literal["controller", "worker"]
Persist = Literal["unit", "networkd", "networkmanager", "ifupdown"]
_Of = TypeVar("_Of")


class PodRoute(Struct, frozen=True, dict=True):
    """A route that machines should have: a worker's pod CIDR through that worker.

    Attributes:
        destination: The pod CIDR.
        next_hop: The worker's internal IP of the same family.
        worker: The worker's name.
    """

    destination: IPNetwork
    next_hop: IPAddress
    worker: str

    @cached_property
    def family(self) -> Family:
        """4 or 6."""
        return family_of(self.destination)

    def on(self, dev: str) -> Route:
        """The kernel's route that it is on a device; the same object for all hosts whose device has that name."""
        route = self._on.get(dev)
        if route is None:
            metric = DEFAULT_METRIC[self.family]
            route = self._on[dev] = Route(self.destination, self.next_hop, dev, PROTOCOL, metric)
        return route

    def lookup_on(self, dev: str) -> Lookup:
        """What the kernel says of a way to these pods where its route is on a device."""
        return Lookup(self.probe, self.next_hop, dev)

    @cached_property
    def _on(self) -> dict[str, Route]:
        return {}

    @cached_property
    def probe(self) -> IPAddress:
        """An address inside the pod CIDR, the first usable one, to ask the kernel about."""
        return parse_address(str(self.destination[1 if self.destination.num_addresses > 1 else 0]))


class Node(Struct, frozen=True):
    """A machine of the cluster.

    Attributes:
        name: The inventory's name.
        role: What it is.
        address: Where it is reached: an address, or a name that ssh can resolve.
        internal_ips: Its addresses in the node network, at most one a family; a controller's may be unknown.
        pod_cidrs: A worker's pod CIDRs, one for each family of the cluster; none for a controller.
        interface: The device that routes use, if the inventory overrides it.
        manage_routes: Whether this machine is connected to at all.
        routes_service: Whether it gets `routes.service`.
        persist: What keeps its routes besides: nothing, or a network manager.
    """

    name: str
    role: Role
    address: str
    internal_ips: tuple[IPAddress, ...]
    pod_cidrs: tuple[IPNetwork, ...]
    interface: str | None = None
    manage_routes: bool = True
    routes_service: bool = True
    persist: Persist = "unit"

    def internal_ip(self, family: Family) -> IPAddress | None:
        """The internal IP of a family, if it is known."""
        return next((ip for ip in self.internal_ips if ip.version == family), None)


class Cloud(Struct, frozen=True):
    """An OpenStack cloud that the machines run in.

    Attributes:
        name: The inventory's name.
        cloud: Its name in clouds.yaml.
        network: Name or id of the machines' network.
        subnets: Names or ids of its subnets, one a family.
        router: Name or id of the router; needed where the routes go there.
        route_target: Where the routes go.
        allowed_address_pairs: Whether workers' ports are to let pod traffic through.
        max_subnet_host_routes: The operator's limit.
        manage_routes: Whether it is touched at all.
    """

    name: str
    cloud: str
    network: str
    subnets: tuple[str, ...]
    router: str | None = None
    route_target: Literal["subnet", "router"] = "subnet"
    allowed_address_pairs: bool = True
    max_subnet_host_routes: int = 20
    manage_routes: bool = True


class NetworkPlan(Struct, frozen=True, dict=True):
    """The whole cluster's network, checked.

    Attributes:
        cluster_cidrs: The ranges that pod CIDRs are cut from, one a family.
        node_networks: The networks of the internal IPs, one a family.
        nodes: The machines by name, in the inventory's order.
        network: The network's name, for reports.
        clouds: The clouds by name, in the inventory's order; usually one or none.
    """

    cluster_cidrs: tuple[IPNetwork, ...]
    node_networks: tuple[IPNetwork, ...]
    nodes: Mapping[str, Node]
    network: str = "kubernetes-the-hard-way"
    clouds: Mapping[str, Cloud] = field(default_factory=dict)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families that pods have addresses of."""
        return tuple(family_of(cidr) for cidr in self.cluster_cidrs)

    @property
    def managed(self) -> frozenset[str]:
        """Names of the machines and clouds that this software works on."""
        everything: list[Node | Cloud] = [*self.nodes.values(), *self.clouds.values()]
        return frozenset(one.name for one in everything if one.manage_routes)

    @property
    def workers(self) -> tuple[Node, ...]:
        """The workers, in the inventory's order."""
        return tuple(node for node in self.nodes.values() if node.role == "worker")

    @cached_property
    def pod_routes(self) -> tuple[PodRoute, ...]:
        """A route for each pod CIDR, sorted by destination."""
        routes = (
            PodRoute(cidr, next_hop, worker.name)
            for worker in self.workers
            for cidr in worker.pod_cidrs
            if (next_hop := worker.internal_ip(family_of(cidr))) is not None
        )
        return tuple(sorted(routes, key=lambda route: sort_key(route.destination)))

    @cached_property
    def next_hops(self) -> frozenset[IPAddress]:
        """The next hops of all pod routes."""
        return frozenset(route.next_hop for route in self.pod_routes)

    @cached_property
    def destinations(self) -> frozenset[IPNetwork]:
        """The destinations of all pod routes."""
        return frozenset(route.destination for route in self.pod_routes)

    def routes_for(self, node: Node) -> tuple[PodRoute, ...]:
        """The routes that one machine should have: every pod CIDR but its own.

        A worker's own pod CIDR is the bridge's: a route to it would make its own pods unreachable.
        """
        return self._but_own(node, self.pod_routes)

    def lookup_commands_for(self, node: Node) -> tuple[str, ...]:
        """What asks the kernel of one machine for its ways to the pods of all others, for `ip -batch`."""
        return self._but_own(node, self._lookup_commands)

    def ways_for(self, node: Node, devices: Mapping[Family, str]) -> tuple[tuple[Route, ...], tuple[Lookup, ...]]:
        """What the kernel of one machine should have and say for each of `routes_for`.

        Args:
            node: The machine.
            devices: The device of its routes of each family of the cluster.
        """
        key = tuple(devices.items())
        ways = self._ways.get(key)
        if ways is None:
            names = [devices[route.family] for route in self.pod_routes]
            named = list(zip(self.pod_routes, names, strict=True))
            ways = self._ways[key] = (
                tuple(route.on(name) for route, name in named),
                tuple(route.lookup_on(name) for route, name in named),
            )
        routes, lookups = ways
        return self._but_own(node, routes), self._but_own(node, lookups)

    def _but_own(self, node: Node, one_each: tuple[_Of, ...]) -> tuple[_Of, ...]:
        """Of one thing for each pod route, those of the routes that do not lead to a machine itself."""
        others: tuple[_Of, ...] = ()
        start = 0
        for number in self._numbers.get(node.name, ()):
            others += one_each[start:number]
            start = number + 1
        return others + one_each[start:]

    # Worked out once, as it is the same for all machines but for one route each.
    @cached_property
    def _ways(self) -> dict[tuple[tuple[Family, str], ...], tuple[tuple[Route, ...], tuple[Lookup, ...]]]:
        return {}

    @cached_property
    def _lookup_commands(self) -> tuple[str, ...]:
        return tuple(f"route get {route.probe}" for route in self.pod_routes)

    @cached_property
    def _numbers(self) -> Mapping[str, Sequence[int]]:
        """Which of the pod routes lead to each worker."""
        numbers: dict[str, list[int]] = {}
        for number, route in enumerate(self.pod_routes):
            numbers.setdefault(route.worker, []).append(number)
        return numbers

    def owns(self, destination: IPNetwork) -> bool:
        """Whether a destination lies in the range in which routes of our protocol number are ours."""
        return any(contains(cidr, destination) for cidr in self.cluster_cidrs)


def subnet(network: IPNetwork, mask_size: int, index: int) -> IPNetwork:
    """The subnet with a given number, by arithmetic (seed: index X of `10.200.X.0/24`).

    Args:
        network: The network to cut.
        mask_size: Prefix length of the subnets, in bits; at least the network's.
        index: Number of the subnet, from 0.

    Raises:
        ValueError: There is no subnet with that number.
    """
    if not 0 <= index < 2 ** (mask_size - network.prefixlen):
        message = f"{network} has no /{mask_size} network with number {index}"
        raise ValueError(message)
    start = int(network.network_address) + (index << (network.max_prefixlen - mask_size))
    address = IPv4Address(start) if isinstance(network, IPv4Network) else IPv6Address(start)
    # By way of its text it is the very object that reading a host's routes gives, and comparing the two costs nothing.
    return parse_network(f"{address}/{mask_size}")
