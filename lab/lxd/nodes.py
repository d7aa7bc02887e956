"""The containers and their addresses, as pure data. All of it follows from the name and the node network."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from lab.errors import LabError
from lab.layout import Host

CONTROLLER, WORKER, BALANCER = "controller", "worker", "haproxy"
OUTER_NETWORK = IPv4Network("10.0.1.0/24")
NODE_NETWORK = "10.0.2.0/24"
"""That of a lab that is made for containers."""
INTERFACE = "eth1"
"""The one on the node network."""

_FIRST = {CONTROLLER: 10, WORKER: 20}
_MOST = {CONTROLLER: 10, WORKER: 200}
_POD_NETWORK = IPv4Address("10.200.0.0")
_NAME = re.compile(rf"({CONTROLLER}|{WORKER})-(\d{{1,3}})|{BALANCER}")


@dataclass(frozen=True)
class Node:
    """One container.

    Attributes:
        name: `controller-0`, `worker-0` or `haproxy`.
        role: `controller`, `worker` or `haproxy`.
        address: On the node network; None for `haproxy`.
        pod_cidr: The worker's pod network; None for the others.
    """

    name: str
    role: str
    address: IPv4Address | None
    pod_cidr: IPv4Network | None

    @property
    def pod_address(self) -> IPv4Address | None:
        """The worker's pod: the second address of the pod network, since the bridge has the first."""
        return None if self.pod_cidr is None else self.pod_cidr[2]

    def as_host(self, network: IPv4Network) -> Host:
        """The container as one of the lab's hosts.

        Args:
            network: The node network.

        Raises:
            LabError: It is not on the node network.
        """
        if self.address is None:
            raise LabError(f"{self.name} is not on the node network")
        index = int(self.name.rpartition("-")[2])
        address = IPv4Interface((self.address, network.prefixlen))
        return Host(self.name, self.role, index, address, None, self.pod_cidr, None, INTERFACE)


def names(controllers: int, workers: int, *, haproxy: bool, first_worker: int = 0) -> list[str]:
    """Names of the containers of a size.

    Args:
        controllers: How many.
        workers: How many.
        haproxy: Whether there is the guide's load balancer too.
        first_worker: Number of the first worker.

    Returns:
        Controllers, workers, `haproxy`.

    Raises:
        LabError: That cannot be built.
    """
    for role, count, first in ((CONTROLLER, controllers, 0), (WORKER, workers, first_worker)):
        if count < 0 or first < 0 or first + count > _MOST[role]:
            raise LabError(f"{role}s: from 0 on, and at most {_MOST[role]}; not {count} from {first} on")
    if controllers + workers == 0:
        raise LabError("at least one controller or worker is needed: --controllers and --workers must not both be 0")
    return [
        *(f"{CONTROLLER}-{index}" for index in range(controllers)),
        *(f"{WORKER}-{index}" for index in range(first_worker, first_worker + workers)),
        *([BALANCER] if haproxy else []),
    ]


def node(name: str, network: IPv4Network) -> Node:
    """The container of a name.

    Args:
        name: One that `names` gives.
        network: The node network.

    Raises:
        LabError: Its address does not fit in the node network.
        ValueError: It is no name that `names` gives.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no container's name")
    if match[1] is None:
        return Node(name, BALANCER, None, None)
    role, index = match[1], int(match[2])
    number = _FIRST[role] + index
    if number >= network.num_addresses - 1:
        raise LabError(f"{name} does not fit in the node network {network}")
    pod_cidr = IPv4Network((int(_POD_NETWORK) + (index << 8), 24)) if role == WORKER else None
    return Node(name, role, network[number], pod_cidr)


def in_order(found: Iterable[str]) -> list[str]:
    """Sort names: controllers, workers, others; by number.

    Args:
        found: Names that `names` gives.
    """
    roles = (CONTROLLER, WORKER)

    def key(name: str) -> tuple[int, int, str]:
        role, _, index = name.partition("-")
        return (roles.index(role), int(index), name) if role in roles else (len(roles), 0, name)

    return sorted(set(found), key=key)
