"""The hosts, addresses and names of a lab, as pure data."""

from dataclasses import asdict, dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

from lab.defaults import DEFAULT_NODE_NETWORK, DEFAULT_SIZE
from lab.errors import LabError

NODE_NETWORK_IPV6 = IPv6Network("fd00:240::/64")
CLUSTER_CIDR_IPV6 = IPv6Network("fd00:200::/48")
SERVICE_CIDR = IPv4Network("10.32.0.0/24")
NODE_MASK = 24
NODE_MASK_IPV6 = 64
MAX_HOSTS = 400
RELEASES = ("bullseye", "bookworm", "trixie")
"""Debian's releases that hosts can have, oldest first."""

_CLUSTER_BASE = IPv4Address("10.200.0.0")
# 10.200.0.0 is on the boundary of a /13 and no larger block.
_CLUSTER_PREFIXES = (16, 15, 14, 13)
_FIRST_CONTROLLER = 10
_FIRST_WORKER = 20


@dataclass(frozen=True)
class Host:
    """One machine.

    Attributes:
        name: `controller-0` or `worker-0`.
        role: `controller` or `worker`.
        index: Counted from 0 within the role; a worker's pod index.
        address: On the node network.
        address_ipv6: Likewise; None in a lab without IPv6.
        pod_cidr: The worker's pod network; None for a controller.
        pod_cidr_ipv6: Likewise; None in a lab without IPv6.
        interface: The one on the node network.
        release: The Debian that it has; None for this computer's own system.
    """

    name: str
    role: str
    index: int
    address: IPv4Interface
    address_ipv6: IPv6Interface | None
    pod_cidr: IPv4Network | None
    pod_cidr_ipv6: IPv6Network | None
    interface: str = "eth0"
    release: str | None = None

    @property
    def addresses(self) -> list[IPv4Interface | IPv6Interface]:
        """Addresses of every family that the lab has, IPv4 first."""
        return [self.address] if self.address_ipv6 is None else [self.address, self.address_ipv6]

    @property
    def pod_cidrs(self) -> list[IPv4Network | IPv6Network]:
        """Pod networks of every family that the lab has, IPv4 first; empty for a controller."""
        return [cidr for cidr in (self.pod_cidr, self.pod_cidr_ipv6) if cidr is not None]

    @property
    def pod_addresses(self) -> list[IPv4Address | IPv6Address]:
        """Addresses of the worker's pod: the second of each pod network, since the bridge has the first."""
        return [cidr[2] for cidr in self.pod_cidrs]

    @property
    def port(self) -> str:
        """Name of the operator's end of the host's cable; a device name has at most 15 characters."""
        return f"to-{self.name}"

    @property
    def mac(self) -> str:
        """A fixed hardware address, so that neighbours' caches stay true over a reboot, as with a real card."""
        return "02:00:" + ":".join(f"{octet:02x}" for octet in self.address.ip.packed)


@dataclass(frozen=True)
class Layout:
    """The size and shape of a lab.

    Attributes:
        controllers: How many, 1 to 10.
        workers: How many.
        node_network: IPv4 network of the hosts.
        ipv6: Whether hosts and pods have IPv6 addresses too.
        pods: Whether each worker has a pod bridge and a pod.
        containers: Whether its machines are containers (see `lab.lxd`), so that it may have no hosts.
        release: Debian's releases with commas in between, which controllers take in turn, and workers likewise; empty
            for this computer's own system.
    """

    controllers: int = DEFAULT_SIZE
    workers: int = DEFAULT_SIZE
    node_network: str = DEFAULT_NODE_NETWORK
    ipv6: bool = False
    pods: bool = True
    containers: bool = False
    release: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            LabError: One line: what does not fit.
        """
        if not 0 <= self.controllers <= _FIRST_WORKER - _FIRST_CONTROLLER:
            raise LabError(f"--controllers must be 0 to {_FIRST_WORKER - _FIRST_CONTROLLER}, not {self.controllers}")
        if self.workers < 0 or (self.controllers + self.workers == 0 and not self.containers):
            raise LabError("a lab needs at least one host: --controllers and --workers must not be negative or both 0")
        if self.controllers + self.workers > MAX_HOSTS:
            raise LabError(
                f"{self.controllers + self.workers} hosts are too many for one computer: at most {MAX_HOSTS}"
            )
        for release in self.releases:
            if release not in RELEASES:
                raise LabError(f"--release {release!r}: there are {', '.join(RELEASES)}")
        network = self.network
        room = max(0, network.num_addresses - 1 - _FIRST_WORKER)
        if self.workers > room:
            raise LabError(
                f"{self.workers} workers do not fit in the node network {network}: it has room for {room}; "
                "give a larger one, --node-network 10.240.0.0/22 say"
            )
        if network.num_addresses <= _FIRST_CONTROLLER + self.controllers:
            raise LabError(f"{self.controllers} controllers do not fit in the node network {network}")
        for name, other in (("pod", self.cluster_cidr), ("service", SERVICE_CIDR)):
            if network.overlaps(other):
                raise LabError(f"--node-network {network} overlaps the {name} network {other}: give another one")

    @cached_property
    def network(self) -> IPv4Network:
        """The parsed node network."""
        try:
            return IPv4Network(self.node_network)
        except ValueError as error:
            raise LabError(f"--node-network {self.node_network}: {error}") from error

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases that hosts take in turn; empty for this computer's own system."""
        return tuple(self.release.split(",")) if self.release != "" else ()

    @property
    def cluster_cidr(self) -> IPv4Network:
        """The pod network of the whole cluster: a /16, or the smallest larger one that has a /24 for every worker."""
        for prefix in _CLUSTER_PREFIXES:
            if self.workers <= 1 << (NODE_MASK - prefix):
                return IPv4Network((_CLUSTER_BASE, prefix))
        raise LabError(f"{self.workers} workers do not fit in the pod network")

    @property
    def gateway(self) -> list[IPv4Interface | IPv6Interface]:
        """The operator's own addresses on the node network."""
        v4 = IPv4Interface((self.network[1], self.network.prefixlen))
        return [v4, _node_ipv6(1)] if self.ipv6 else [v4]

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, controllers first."""
        return tuple(
            [self._host("controller", index, _FIRST_CONTROLLER + index) for index in range(self.controllers)]
            + [self._host("worker", index, _FIRST_WORKER + index) for index in range(self.workers)]
        )

    def host(self, name: str) -> Host:
        """Find a host.

        Args:
            name: `worker-0`, say.

        Returns:
            The host.

        Raises:
            LabError: There is none of that name; the message lists those that there are.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(_ranges(role, count) for role, count in self.sizes if count > 0)
        raise LabError(f"there is no host {name!r} in this lab; it has {known}")

    @property
    def sizes(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Roles and how many hosts each has."""
        return (("controller", self.controllers), ("worker", self.workers))

    @property
    def hosts_file(self) -> str:
        """The lines of /etc/hosts that name every host."""
        return "".join(f"{address.ip}\t{host.name}\n" for host in self.hosts for address in host.addresses)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a state file."""
        return asdict(self)

    def _host(self, role: str, index: int, number: int) -> Host:
        worker = role == "worker"
        return Host(
            name=f"{role}-{index}",
            role=role,
            index=index,
            address=IPv4Interface((self.network[number], self.network.prefixlen)),
            address_ipv6=_node_ipv6(number) if self.ipv6 else None,
            pod_cidr=IPv4Network((int(self.cluster_cidr[0]) + (index << 8), NODE_MASK)) if worker else None,
            pod_cidr_ipv6=(
                IPv6Network((int(CLUSTER_CIDR_IPV6[0]) + (index << 64), NODE_MASK_IPV6))
                if worker and self.ipv6
                else None
            ),
            # By its index alone: a host that is there keeps its release when others are added.
            release=self.releases[index % len(self.releases)] if self.releases else None,
        )


def _node_ipv6(number: int) -> IPv6Interface:
    """The address whose last group reads like the decimal number: 20 is ::20."""
    return IPv6Interface((int(NODE_NETWORK_IPV6[0]) + int(str(number), 16), NODE_NETWORK_IPV6.prefixlen))


def _ranges(role: str, count: int) -> str:
    return f"{role}-0" if count == 1 else f"{role}-0 to {role}-{count - 1}"
