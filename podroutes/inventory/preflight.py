"""Preflight: checks a whole inventory before any host is touched, and builds the network plan from it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv6Network
from typing import Any, Final, TypeVar

from msgspec.structs import asdict

from podroutes.addresses import (
    Family,
    IPAddress,
    IPNetwork,
    contains,
    family_of,
    is_host_name,
    is_link_local_with_zone,
    overlap,
    parse_address,
    sort_key,
)
from podroutes.errors import InventoryError, Problem
from podroutes.inventory.key_types import CONTROLLERS, KEPT_BY_HOOKS, OPENSTACK, WORKERS
from podroutes.inventory.model import (
    ClusterData,
    Holder,
    HostData,
    HostEntry,
    check_other,
    read_cloud,
    read_cluster,
    read_host,
)
from podroutes.inventory.network_plan import Cloud, NetworkPlan, Node, Role, subnet
from podroutes.inventory.typed_keys import NO_TEXT

_Value = TypeVar("_Value", IPAddress, IPNetwork)

# Kubernetes' own defaults of --node-cidr-mask-size-ipv4 and -ipv6.
DEFAULT_MASK_SIZE: Final[Mapping[Family, int]] = {4: 24, 6: 64}


def build_network_plan(
    defaults: Mapping[str, Any], defaults_holder: Holder, entries: Sequence[HostEntry]
) -> NetworkPlan:
    """Check a whole inventory and compute the network plan from it.

    Args:
        defaults: The defaults' data.
        defaults_holder: Where they are written.
        entries: All hosts, also those that this run is not about: their pod CIDRs are routed to as well.

    Returns:
        The plan.

    Raises:
        InventoryError: With every problem that was found.
    """
    cluster, problems = read_cluster(defaults, defaults_holder)
    machines: list[tuple[HostEntry, HostData]] = []
    clouds: dict[str, Cloud] = {}
    # YAML may have numbers for names; the check of the files reports them.
    entries = [entry for entry in entries if _is_text(entry.name)]
    for entry in entries:
        if OPENSTACK in entry.groups:
            cloud, found = read_cloud(entry)
            if cloud is not None:
                clouds[entry.name] = Cloud(name=entry.name, **asdict(cloud))
        elif entry.groups & {CONTROLLERS, WORKERS}:
            data, found = read_host(entry)
            if data is not None:
                machines.append((entry, data))
        else:
            found = check_other(entry)
        problems += found
    if cluster is None:
        raise InventoryError(problems)
    builder = _Builder(cluster, defaults_holder)
    nodes = {entry.name: builder.node(entry, data) for entry, data in machines}
    if not any(WORKERS in entry.groups for entry in entries):
        builder.report(defaults_holder, "", f"no host is in the group {WORKERS}: there is no pod CIDR to route to")
    builder.check_together(nodes)
    problems += builder.problems
    if problems:
        raise InventoryError(problems)
    return NetworkPlan(cluster.cluster_cidr, cluster.node_network, nodes, cluster.network, clouds)


class _Builder:
    """Builds nodes and gathers problems; lives for one `build_network_plan`."""

    def __init__(self, cluster: ClusterData, defaults: Holder) -> None:
        self.cluster = cluster
        self.defaults = defaults
        self.problems: list[Problem] = []
        self.machines: dict[str, tuple[HostEntry, HostData]] = {}
        # Where an internal IP comes from: who holds the key, the key, and for which host if that is another.
        self.ip_keys: dict[tuple[str, IPAddress], tuple[Holder, str, str]] = {}
        self.masks = {family_of(cidr): self._mask_size(cidr) for cidr in cluster.cluster_cidr}
        if {cidr.version for cidr in cluster.cluster_cidr} != {network.version for network in cluster.node_network}:
            message = "must have the same families as cluster_cidr: next hops are addresses in it"
            self.report(defaults, "data.node_network", message)

    def report(self, holder: Holder, key: str, message: str) -> None:
        self.problems.append(holder.problem(key, message))

    def _mask_size(self, cidr: IPNetwork) -> int:
        family = family_of(cidr)
        key = f"node_cidr_mask_size_ipv{family}"
        size: int | None = getattr(self.cluster, key)
        if size is None and (len(self.cluster.cluster_cidr) == 1 or family == 4):
            key, size = "node_cidr_mask_size", self.cluster.node_cidr_mask_size
        if size is None:
            return max(DEFAULT_MASK_SIZE[family], cidr.prefixlen)
        if cidr.prefixlen <= size <= cidr.max_prefixlen:
            return size
        message = f"{size} does not fit {cidr}; write a mask from {cidr.prefixlen} to {cidr.max_prefixlen}"
        self.report(self.defaults, f"data.{key}", message)
        return cidr.max_prefixlen

    def node(self, entry: HostEntry, data: HostData) -> Node:
        """The machine that an entry describes; what is wrong with it is reported."""
        self.machines[entry.name] = (entry, data)
        role: Role = "worker" if WORKERS in entry.groups else "controller"
        if not is_host_name(entry.name):
            self.report(entry.holder, "", "is no name for a host; use letters, digits, dots and dashes")
        address = self._address(entry)
        if role == "controller":
            for key in ("pod_index", "pod_cidrs"):
                if getattr(data, key) is not None:
                    self.report(entry.holder, f"data.{key}", f"is for workers, and this host is only in {CONTROLLERS}")
        if data.persist in KEPT_BY_HOOKS and not data.routes_service:
            holder = entry.holder_of("persist")
            of = "" if holder == entry.holder else f" for {entry.name}"
            needs = f"{data.persist}{of} needs routes.service, and routes_service is false"
            self.report(holder, "data.persist", f"{needs}; leave one of the two out")
        return Node(
            entry.name,
            role,
            address,
            tuple(self._internal_ips(entry, data, address, role)),
            tuple(self._pod_cidrs(entry, data)) if role == "worker" else (),
            data.interface,
            data.manage_routes,
            data.routes_service,
            data.persist,
        )

    def _address(self, entry: HostEntry) -> str:
        hostname: object = entry.hostname  # whatever the file holds
        if hostname is not None and not isinstance(hostname, str):
            self.report(entry.holder, "hostname", NO_TEXT)
            return ""
        if hostname is None or hostname == "":
            self.report(entry.holder, "hostname", "is missing; write the address or name to reach the host at")
            return ""
        if _as_address(hostname) is not None or is_link_local_with_zone(hostname):
            return hostname
        if hostname.replace(".", "").isdigit() or ":" in hostname:
            try:
                parse_address(hostname)
            except ValueError as error:
                self.report(entry.holder, "hostname", str(error))
        elif not is_host_name(hostname):
            self.report(entry.holder, "hostname", f"{hostname!r} is neither an address nor a host name")
        return hostname

    def _internal_ips(self, entry: HostEntry, data: HostData, address: str, role: Role) -> Iterator[IPAddress]:
        reached_at = _as_address(address)
        for network in self.cluster.node_network:
            explicit = _of_family(data.internal_ips, network)
            first = _of_family(data.first_internal_ips, network)
            if explicit is not None:
                key, ip = "internal_ips", explicit
            elif reached_at is not None and reached_at in network:
                key, ip = "hostname", reached_at
            elif first is not None and data.pod_index is not None:
                key = "first_internal_ips"
                if int(first) + data.pod_index >= 2**first.max_prefixlen:
                    message = f"there is no address that is {data.pod_index} after {first}"
                    self.report(entry.holder_of(key), f"data.{key}", message)
                    continue
                ip = first + data.pod_index
            else:
                if role == "worker":
                    needed = f"an IPv{network.version} address in {network}"
                    message = f"is missing: the others need {needed} as next hop; write one"
                    self.report(entry.holder, "data.internal_ips", message)
                continue
            holder = entry.holder_of(key)
            of = "" if holder == entry.holder else f" for {entry.name}"
            path = key if key == "hostname" else f"data.{key}"
            if not _is_usable(ip, network):
                self.report(holder, path, f"{ip}{of} is no machine's address in the node network {network}")
            self.ip_keys[entry.name, ip] = (holder, path, of)
            yield ip
        for ip in data.internal_ips or ():
            if _of_family(self.cluster.node_network, ip) is None:
                message = f"{ip}: the cluster's node_network has no IPv{ip.version}"
                self.report(entry.holder, "data.internal_ips", message)

    def _pod_cidrs(self, entry: HostEntry, data: HostData) -> Iterator[IPNetwork]:
        needs_index = False
        for cluster_cidr in self.cluster.cluster_cidr:
            explicit = _of_family(data.pod_cidrs, cluster_cidr)
            if explicit is not None:
                if not contains(cluster_cidr, explicit):
                    self.report(entry.holder, "data.pod_cidrs", f"{explicit} is not inside cluster_cidr {cluster_cidr}")
                yield explicit
            elif data.pod_index is None:
                needs_index = True
            else:
                mask = self.masks[family_of(cluster_cidr)]
                last = 2 ** (mask - cluster_cidr.prefixlen) - 1
                if data.pod_index <= last:
                    yield subnet(cluster_cidr, mask, data.pod_index)
                else:
                    message = f"{data.pod_index} is out of range: {cluster_cidr} holds /{mask} networks 0 to {last}"
                    self.report(entry.holder, "data.pod_index", message)
        if needs_index:
            self.report(entry.holder, "data.pod_index", "is missing; write the worker's number, counted from 0")
        for cidr in data.pod_cidrs or ():
            if _of_family(self.cluster.cluster_cidr, cidr) is None:
                self.report(entry.holder, "data.pod_cidrs", f"{cidr}: cluster_cidr has no IPv{cidr.version}")

    def check_together(self, nodes: Mapping[str, Node]) -> None:
        """Find what is wrong only with several machines, or with machines and ranges, side by side."""
        self._check_unique(nodes.values())
        pods = [(cidr, node.name) for node in nodes.values() for cidr in node.pod_cidrs]
        pods.sort(key=lambda pod: sort_key(pod[0]))
        self._check_overlaps(pods)
        for node in nodes.values():
            address = _as_address(node.address)
            for cidr, name in pods:
                if address is not None and contains(cidr, address):
                    message = f"{address} lies in the pod CIDR {cidr} of {name}: its route would cut this host off"
                    self.report(self.machines[node.name][0].holder, "hostname", message)
                    break

    def _check_overlaps(self, pods: Sequence[tuple[IPNetwork, str]]) -> None:
        """Report pod CIDRs, in order and each with its worker, that overlap others or ranges of the cluster."""
        widest: tuple[IPNetwork, str] | None = None  # of those before, only this one can reach further
        for cidr, name in pods:
            if widest is not None and overlap(widest[0], cidr):
                other, owner = widest
                what = f"is {owner}'s already" if cidr == other else f"overlaps {owner}'s, {other}"
                self._report_cidr(name, cidr, what)
            else:
                widest = (cidr, name)
            for key in ("node_network", "service_cluster_ip_range"):
                for network in getattr(self.cluster, key) or ():
                    if overlap(cidr, network):
                        self._report_cidr(name, cidr, f"overlaps {key} {network}")

    def _report_cidr(self, name: str, cidr: IPNetwork, what: str) -> None:
        entry, data = self.machines[name]
        key = "data.pod_cidrs" if cidr in (data.pod_cidrs or ()) else "data.pod_index"
        self.report(entry.holder, key, f"pod CIDR {cidr} {what}")

    def _check_unique(self, nodes: Iterable[Node]) -> None:
        indices: dict[int, str] = {}
        ips: dict[IPAddress, str] = {}
        for node in nodes:
            entry, data = self.machines[node.name]
            index = data.pod_index if node.role == "worker" else None
            if index is not None and (first := indices.setdefault(index, node.name)) != node.name:
                self.report(entry.holder, "data.pod_index", f"{index} is used by {first} already")
            for ip in node.internal_ips:
                if (first := ips.setdefault(ip, node.name)) != node.name:
                    holder, key, of = self.ip_keys[node.name, ip]
                    self.report(holder, key, f"{ip}{of} is used by {first} already")


def _is_text(name: object) -> bool:
    return isinstance(name, str)


def _as_address(text: str) -> IPAddress | None:
    try:
        return parse_address(text)
    except ValueError:
        return None


def _of_family(values: Sequence[_Value] | None, like: IPAddress | IPNetwork) -> _Value | None:
    """The one of the same family, if there is one."""
    return next((value for value in values or () if value.version == like.version), None)


def _is_usable(ip: IPAddress, network: IPNetwork) -> bool:
    if not contains(network, ip):
        return False
    if isinstance(network, IPv6Network) or network.prefixlen >= 31:  # RFC 3021: no broadcast there
        return True
    return ip not in (network.network_address, network.broadcast_address)
