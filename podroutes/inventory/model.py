"""What an inventory may say about a cluster: the keys below `data`, their types, and where each belongs.

The names are Kubernetes' own where it has one (`--cluster-cidr`, `--node-cidr-mask-size`,
`--service-cluster-ip-range`). All other keys are the engineer's own, but for one that is most likely a misspelling.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import fields

from podroutes.errors import Problem
from podroutes.inventory.key_types import (
    CONTROLLERS,
    OPENSTACK,
    WORKERS,
    Addresses,
    InterfaceName,
    NetworkName,
    Networks,
    Persist,
    ResourceName,
    SubnetNames,
)
from podroutes.inventory.typed_keys import KeyProblem, problem_of, read_keys
from podroutes.text import closest

# Keys that start with it are never taken for a misspelling.
OWN_KEY_PREFIX: Final = "x_"
DEFAULTS: Final = "defaults"

_Kind = TypeVar("_Kind", bound=Struct)
_Mask = Annotated[int, Meta(ge=1, le=128)]


class ClusterData(Struct, frozen=True, kw_only=True):
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
        _Mask | None,
        Meta(description="Mask of a worker's pod CIDR, where the cluster has one family."),
    ] = None
    node_cidr_mask_size_ipv4: Annotated[
        Annotated[int, Meta(ge=1, le=32)] | None, Meta(description="Mask of a worker's IPv4 pod CIDR; 24 if left out.")
    ] = None
    node_cidr_mask_size_ipv6: Annotated[
        _Mask | None, Meta(description="Mask of a worker's IPv6 pod CIDR; 64 if left out.")
    ] = None


class HostData(Struct, frozen=True, kw_only=True):
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
        str,
        Meta(
            min_length=1,
            description="The connection plugin that reaches the machine: linux_exec (SSH), lxd (LXD or Incus, by the "
            "instance's name), netmiko (nornir-netmiko's), or another one that is installed and runs scripts.",
            examples=["linux_exec", "lxd", "netmiko"],
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


class CloudData(Struct, frozen=True, kw_only=True):
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
        int, Meta(ge=1, description="The operator's limit of host routes a subnet, which no API has.")
    ] = 20
    manage_routes: Annotated[bool, Meta(description="false: leave this cloud alone.")] = True


CLUSTER_KEYS: Final = frozenset(ClusterData.__struct_fields__)
HOST_KEYS: Final = frozenset(HostData.__struct_fields__)
CLOUD_KEYS: Final = frozenset(CloudData.__struct_fields__)
OUR_KEYS: Final = CLUSTER_KEYS | HOST_KEYS | CLOUD_KEYS
_ONLY_ON_HOSTS: Final = frozenset({"pod_index", "internal_ips", "pod_cidrs"})
_TYPES: Final = {field.name: field.type for kind in (CloudData, ClusterData, HostData) for field in fields(kind)}
# How alike a misspelling is, as difflib measures it.
_SIMILARITY: Final = 0.85
# Keys of many inventories that are as alike: these are no misspellings, and plurals only if their value fits our key.
_ALIKE: Final = frozenset({"cluster_id", "pod_network"})
_PLURALS: Final = frozenset({"connections", "interfaces", "networks"})


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

    def holder_of(self, key: str) -> Holder:
        """Where a key of `data` is written, or would be."""
        return self.holders.get(key, self.holder)


def read_cluster(data: Mapping[str, Any], holder: Holder) -> tuple[ClusterData | None, list[Problem]]:
    """Type the network plan's keys in the defaults' data; returns them, or None, and every problem found."""
    return _read(ClusterData, data, lambda _: holder, CLUSTER_KEYS | HOST_KEYS)


def read_host(entry: HostEntry) -> tuple[HostData | None, list[Problem]]:
    """Type one machine's keys, and find misplaced ones; returns the keys, or None, and every problem found."""
    misplaced = []
    for key, holder in entry.holders.items():
        if key in CLUSTER_KEYS and holder.name != DEFAULTS:
            message = "is the whole cluster's; write it below data in the defaults"
            misplaced.append(holder.problem(f"data.{key}", message))
        if key in _ONLY_ON_HOSTS and holder not in (entry.holder, entry.source):
            misplaced.append(holder.problem(f"data.{key}", "differs from host to host; write it on each host"))
    data, problems = _read(HostData, entry.data, entry.holder_of, CLUSTER_KEYS | HOST_KEYS)
    return data, misplaced + problems


def read_cloud(entry: HostEntry) -> tuple[CloudData | None, list[Problem]]:
    """Type a cloud's keys; returns them, or None, and every problem found.

    Keys of machines and of the cluster may reach it from the defaults.
    """
    data, problems = _read(CloudData, entry.data, entry.holder_of, CLOUD_KEYS)
    for key in OUR_KEYS - CLOUD_KEYS:
        if entry.holders.get(key) == entry.holder:
            problems.append(entry.holder.problem(f"data.{key}", "is not for a cloud; write it on machines"))
    if data is not None and data.route_target == "router" and data.router is None:
        problems.append(entry.holder.problem("data.router", "is missing; route_target: router needs its name or id"))
    for group in (CONTROLLERS, WORKERS):
        if group in entry.groups:
            message = f"is in {OPENSTACK} and in {group}; a cloud is no machine, take it out of one"
            problems.append(entry.holder.problem("groups", message))
    return data, problems


def check_other(entry: HostEntry) -> list[Problem]:
    """Find out whether a host that is neither a machine of the cluster nor a cloud was meant to be one."""
    if not entry.groups and entry.data.get("manage_routes") is not False:
        message = f"is in no group; add {CONTROLLERS} or {WORKERS}, or a group of your own"
        return [entry.holder.problem("groups", message)]
    message = f"is for machines of the cluster; add {CONTROLLERS} or {WORKERS} to the host's groups"
    return [
        entry.holder.problem(f"data.{key}", message)
        for key in ("pod_index", "pod_cidrs")
        if entry.holders.get(key) == entry.holder
    ]


def _read(
    kind: type[_Kind], data: Mapping[str, Any], holder_of: Callable[[str], Holder], known: frozenset[str]
) -> tuple[_Kind | None, list[Problem]]:
    typed, problems = read_keys(kind, data)
    for key, value in data.items():
        close = _misspelt(key, value, known)
        if close is not None:
            message = f"unknown key; did you mean {close}? A key of your own would be {OWN_KEY_PREFIX}{key}"
            problems.append(KeyProblem(key, message))
    return (None if problems else typed), [
        holder_of(problem.key).problem(f"data.{problem.key}", problem.message) for problem in problems
    ]


def _misspelt(key: object, value: object, known: frozenset[str]) -> str | None:
    """The key of ours that was most likely meant, if another one was."""
    if not isinstance(key, str) or key in OUR_KEYS | _ALIKE or key.startswith(OWN_KEY_PREFIX):
        return None
    close = closest(key.lower(), known, similarity=_SIMILARITY)
    if close is None or (key in _PLURALS and problem_of(value, _TYPES[close]) is not None):
        return None
    return close
