"""The cluster's network as it should be: who the machines are, and which pod CIDR is behind which of them."""

from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from msgspec import Struct, field

from podroutes.addresses import Family, IPAddress, IPNetwork, contains, family_of, sort_key
from podroutes.host.routes import DEFAULT_METRIC, PROTOCOL, Lookup, Route
from podroutes.inventory.key_types import Persist
from podroutes.inventory.model import CloudData

Role = Literal["controller", "worker"]


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

    @property
    def family(self) -> Family:
        """4 or 6."""
        return family_of(self.destination)

    @cached_property
    def probe(self) -> IPAddress:
        """An address inside the pod CIDR, the first usable one, to ask the kernel about."""
        return self.destination[1 if self.destination.num_addresses > 1 else 0]

    def on(self, dev: str) -> Route:
        """The kernel's route that it is on a device."""
        return Route(self.destination, self.next_hop, dev, PROTOCOL, DEFAULT_METRIC[self.family])

    def lookup_on(self, dev: str) -> Lookup:
        """The kernel's answer about these pods where their route is on a device."""
        return Lookup(self.probe, self.next_hop, dev)


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


class Cloud(CloudData, frozen=True, kw_only=True):
    """An OpenStack cloud that the machines run in, under the inventory's name."""

    name: str

    @property
    def subnets(self) -> tuple[str, ...]:
        """Names or ids of the subnets, one a family."""
        return self.subnet


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
        return tuple(route for route in self.pod_routes if route.worker != node.name)

    def lookup_commands_for(self, node: Node) -> tuple[str, ...]:
        """The lines of `ip -batch` that ask one machine's kernel about the pods of all others."""
        return tuple(f"route get {route.probe}" for route in self.routes_for(node))

    def ways_for(self, node: Node, devices: Mapping[Family, str]) -> tuple[tuple[Route, ...], tuple[Lookup, ...]]:
        """The kernel's route and its answer for each of `routes_for`.

        Args:
            node: The machine.
            devices: The device of its routes of each family of the cluster.
        """
        routes = self.routes_for(node)
        return (
            tuple(route.on(devices[route.family]) for route in routes),
            tuple(route.lookup_on(devices[route.family]) for route in routes),
        )

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
    return IPv4Network((start, mask_size)) if isinstance(network, IPv4Network) else IPv6Network((start, mask_size))
