"""What an inventory may say about a cluster: the keys below `data`, their types, and where each belongs.

The names are Kubernetes' own where it has one (`--cluster-cidr`, `--node-cidr-mask-size`,
`--service-cluster-ip-range`). Keys that start with `x_` belong to the engineer and are never looked at.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from msgspec import Meta, Struct

from podroutes.errors import Problem
from podroutes.inventory.key_types import Addresses, InterfaceName, NetworkName, Networks, ResourceName, SubnetNames
from podroutes.inventory.network_plan import Persist
from podroutes.inventory.typed_keys import read_keys

CONTROLLERS: Final = "controllers"
WORKERS: Final = "workers"
OPENSTACK: Final = "openstack"
OWN_KEY_PREFIX: Final = "x_"
DEFAULTS: Final = "defaults"
OWN_KEYS: Final = f"(keys of your own stand below data and start with {OWN_KEY_PREFIX})"

_Kind = TypeVar("_Kind", bound=Struct)


class ClusterData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network plan's keys, once for the whole cluster, below `data` in `defaults.yaml`."""

    cluster_cidr: Annotated[
        Networks, Meta(description="The range that all pod CIDRs are cut from; IPv4, IPv6 or both.")
    ]
    node_network: Annotated[Networks, Meta(description="The network that the machines' internal IPs are in.")]
    service_cluster_ip_range: Annotated[
        Networks | None, Meta(description="The range of service IPs; no pod CIDR may overlap it.")
    ] = None
    network: Annotated[NetworkName, Meta(description="The network's name, for reports.")] = "kubernetes-the-hard-way"
    node_cidr_mask_size: Annotated[
        Annotated[int, Meta(ge=1, le=128)] | None,
        Meta(description="Mask of a worker's pod CIDR, where the cluster has one family."),
    ] = None
    node_cidr_mask_size_ipv4: Annotated[
        Annotated[int, Meta(ge=1, le=32)] | None, Meta(description="Mask of a worker's IPv4 pod CIDR; 24 if left out.")
    ] = None
    node_cidr_mask_size_ipv6: Annotated[
        Annotated[int, Meta(ge=1, le=128)] | None, Meta(description="Mask of a worker's IPv6 pod CIDR; 64 if left out.")
    ] = None


class HostData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine's keys, below `data` on a host; most may stand on a group or in the defaults as well."""

    pod_index: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="A worker's number: its pod CIDR is the one with this number in cluster_cidr, counted from 0."
        ),
    ] = None
    internal_ips: Annotated[
        Addresses | None,
        Meta(description="The machine's addresses in node_network, one a family. Left out: `hostname`, if it is one."),
    ] = None
    first_internal_ips: Annotated[
        Addresses | None,
        Meta(description="Internal IPs of pod index 0, one a family; pod_index is added for each worker."),
    ] = None
    pod_cidrs: Annotated[
        Networks | None, Meta(description="The worker's pod CIDRs, one a family, instead of the computed ones.")
    ] = None
    connection: Annotated[
        Literal["linux_exec", "lxd", "netmiko"],
        Meta(
            description="What reaches the machine: linux_exec (SSH), lxd (LXD or Incus, by the instance's name), or"
            " netmiko (nornir-netmiko's connection)."
        ),
    ] = "linux_exec"
    interface: Annotated[
        InterfaceName | None,
        Meta(description="The device that routes use, instead of the one that has the internal IP."),
    ] = None
    manage_routes: Annotated[
        bool,
        Meta(description="false: this machine is never connected to; the others still get its pod CIDRs' routes."),
    ] = True
    routes_service: Annotated[
        bool,
        Meta(description="false: no routes.service on this machine, so its routes are gone after a reboot."),
    ] = True
    persist: Annotated[
        Persist,
        Meta(
            description="What keeps the routes: unit (routes.service, at boot), or networkd, networkmanager or "
            "ifupdown (that network manager as well, whenever it gives the device its addresses anew)."
        ),
    ] = "unit"


class CloudData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cloud's keys, below `data` on a host of the group `openstack`."""

    cloud: Annotated[ResourceName, Meta(description="The cloud's name in clouds.yaml.")]
    network: Annotated[ResourceName, Meta(description="Name or id of the machines' network.")]
    subnet: Annotated[SubnetNames, Meta(description="Name or id of the subnet; a list of two for both families.")]
    router: Annotated[ResourceName | None, Meta(description="Name or id of the router, for route_target: router.")] = (
        None
    )
    route_target: Annotated[
        Literal["subnet", "router"],
        Meta(description="Where the routes go: host routes of the subnet, or extra routes of the router."),
    ] = "subnet"
    allowed_address_pairs: Annotated[
        bool,
        Meta(
            description="Let each worker's port send from its pod CIDRs; without it, port security drops pod traffic."
        ),
    ] = True
    max_subnet_host_routes: Annotated[
        int, Meta(ge=1, description="The operator's limit of host routes a subnet; no API tells it.")
    ] = 20
    manage_routes: Annotated[bool, Meta(description="false: leave this cloud alone.")] = True


CLUSTER_KEYS: Final = frozenset(ClusterData.__struct_fields__)
HOST_KEYS: Final = frozenset(HostData.__struct_fields__)
CLOUD_KEYS: Final = frozenset(CloudData.__struct_fields__)
_ONLY_ON_HOSTS: Final = frozenset({"pod_index", "internal_ips", "pod_cidrs"})


class Holder(Struct, frozen=True):
    """Where something is written: a host, a group or the defaults, in a file.

    Attributes:
        file: Path to show to a person; empty where the inventory is not made of files.
        name: Name of the host or group, or `defaults`.
    """

    file: str
    name: str

    def problem(self, key: str, message: str) -> Problem:
        """A problem with one of this holder's keys."""
        return Problem(self.file, self.name, key, message)


class HostEntry(Struct, frozen=True):
    """A host as the inventory gives it, before anything is checked.

    Attributes:
        name: The inventory's name for it.
        hostname: The address or name to reach it at, if any.
        groups: Names of all groups that it belongs to, inherited ones included.
        data: Its data with what groups and defaults add, by key.
        holder: Where the host itself is written.
        holders: Where each key of `data` is written.
        source: What says keys of this host besides its entry in a file, if anything does.
    """

    name: str
    hostname: str | None
    groups: frozenset[str]
    data: Mapping[str, Any]
    holder: Holder
    holders: Mapping[str, Holder]
    source: Holder | None = None


def read_cluster(data: Mapping[str, Any], holder: Holder) -> tuple[ClusterData | None, list[Problem]]:
    """Type the network plan's keys.

    Args:
        data: The defaults' data; the keys that belong to hosts are left alone.
        holder: Where they are written.

    Returns:
        The typed keys, or None, and every problem found.
    """
    own = {key: value for key, value in data.items() if key not in HOST_KEYS}
    return _read(ClusterData, own, lambda _: holder)


def read_host(entry: HostEntry) -> tuple[HostData | None, list[Problem]]:
    """Type one host's keys, and say which stand in the wrong place.

    Returns:
        The typed keys, or None, and every problem found.
    """
    misplaced = []
    for key, holder in entry.holders.items():
        on_host = holder in (entry.holder, entry.source)
        if key in CLUSTER_KEYS and holder.name != DEFAULTS:
            misplaced.append(
                holder.problem(f"data.{key}", "is the whole cluster's; write it below data in the defaults")
            )
        if key in _ONLY_ON_HOSTS and not on_host:
            misplaced.append(holder.problem(f"data.{key}", "differs from host to host; write it on each host"))
    own = {key: value for key, value in entry.data.items() if key not in CLUSTER_KEYS}
    data, problems = _read(HostData, own, lambda key: entry.holders.get(key, entry.holder))
    return data, misplaced + problems


def read_cloud(entry: HostEntry) -> tuple[CloudData | None, list[Problem]]:
    """Type a cloud's keys; what it inherits of machines' and the cluster's keys is not its concern.

    Returns:
        The typed keys, or None, and every problem found.
    """
    machines = (CLUSTER_KEYS | HOST_KEYS) - CLOUD_KEYS
    own = {
        key: value
        for key, value in entry.data.items()
        if key not in machines or entry.holders.get(key, entry.holder) == entry.holder
    }
    data, problems = _read(CloudData, own, lambda key: entry.holders.get(key, entry.holder), CLOUD_KEYS)
    if data is not None and data.route_target == "router" and data.router is None:
        problems.append(entry.holder.problem("data.router", "is missing; route_target: router needs its name or id"))
    for group in (CONTROLLERS, WORKERS):
        if group in entry.groups:
            message = f"is in {OPENSTACK} and in {group}; a cloud is no machine, take it out of one"
            problems.append(entry.holder.problem("groups", message))
    return data, problems


def _read(
    kind: type[_Kind],
    data: Mapping[str, Any],
    holder_of: Callable[[str], Holder],
    keys: frozenset[str] = CLUSTER_KEYS | HOST_KEYS,
) -> tuple[_Kind | None, list[Problem]]:
    own = {key: value for key, value in data.items() if not str(key).startswith(OWN_KEY_PREFIX)}
    typed, problems = read_keys(kind, own, keys)
    return typed, [
        holder_of(problem.key).problem(
            f"data.{problem.key}", f"{problem.message} {OWN_KEYS}" if problem.unknown else problem.message
        )
        for problem in problems
    ]
