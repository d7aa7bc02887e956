"""Preflight: checks a whole inventory before any host is touched, and builds the network plan from it."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Network
from typing import Any, Final, TypeVar

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
from podroutes.host.network_managers import BY_SETTING, HOOK_PATHS
from podroutes.inventory.model import (
    CONTROLLERS,
    OPENSTACK,
    WORKERS,
    CloudData,
    ClusterData,
    Holder,
    HostData,
    HostEntry,
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
    hosts: list[tuple[HostEntry, HostData]] = []
    clouds: dict[str, Cloud] = {}
    # YAML may have numbers for names; the check of the files says so.
    entries = [entry for entry in entries if not _is_number(entry.name)]
    for entry in entries:
        if OPENSTACK in entry.groups:
            cloud, found = read_cloud(entry)
            problems += found
            if cloud is not None:
                clouds[entry.name] = _cloud(entry.name, cloud)
            continue
        data, found = read_host(entry)
        problems += found
        if data is not None:
            hosts.append((entry, data))
    if cluster is None:
        raise InventoryError(problems)
    builder = _Builder(cluster, defaults_holder)
    nodes = {node.name: node for entry, data in hosts if (node := builder.node(entry, data)) is not None}
    if not any(WORKERS in entry.groups for entry in entries):
        builder.report(defaults_holder, "", f"no host is in the group {WORKERS}: there is no pod CIDR to route to")
    builder.check_together(nodes)
    problems += builder.problems
    if problems:
        raise InventoryError(problems)
    return NetworkPlan(cluster.cluster_cidr, cluster.node_network, nodes, cluster.network, clouds)


def _cloud(name: str, data: CloudData) -> Cloud:
    return Cloud(
        name,
        data.cloud,
        data.network,
        data.subnet,
        data.router,
        data.route_target,
        data.allowed_address_pairs,
        data.max_subnet_host_routes,
        data.manage_routes,
    )


class _Builder:
    """Builds nodes and gathers problems; lives for one `build_network_plan`."""

    def __init__(self, cluster: ClusterData, defaults: Holder) -> None:
        self.cluster = cluster
        self.defaults = defaults
        self.problems: list[Problem] = []
        self.entries: dict[str, HostEntry] = {}
        # Where an internal IP comes from: who holds the key, the key, and for which host if that is another.
        self.ip_keys: dict[tuple[str, IPAddress], tuple[Holder, str, str]] = {}
        self.explicit_cidrs: set[tuple[str, IPNetwork]] = set()
        self.masks = {family_of(cidr): self._mask_size(cidr) for cidr in cluster.cluster_cidr}
        if {cidr.version for cidr in cluster.cluster_cidr} != {network.version for network in cluster.node_network}:
            self.report(
                defaults,
                "data.node_network",
                "must have the same families as cluster_cidr: next hops are addresses in it",
            )

    def report(self, holder: Holder, key: str, message: str) -> None:
        self.problems.append(holder.problem(key, message))

    def _mask_size(self, cidr: IPNetwork) -> int:
        family = family_of(cidr)
        key = f"node_cidr_mask_size_ipv{family}"
        size = getattr(self.cluster, key)
        if (
            size is None
            and self.cluster.node_cidr_mask_size is not None
            and (len(self.cluster.cluster_cidr) == 1 or family == 4)
        ):
            key, size = "node_cidr_mask_size", self.cluster.node_cidr_mask_size
        if size is None:
            size = max(DEFAULT_MASK_SIZE[family], cidr.prefixlen)
        if not cidr.prefixlen <= size <= cidr.max_prefixlen:
            self.report(
                self.defaults,
                f"data.{key}",
                f"{size} does not fit {cidr}; write a mask from {cidr.prefixlen} to {cidr.max_prefixlen}",
            )
            size = cidr.max_prefixlen
        return int(size)

    def node(self, entry: HostEntry, data: HostData) -> Node | None:
        """The node that an entry describes; None if it is no machine of the cluster or can't be one."""
        self.entries[entry.name] = entry
        role: Role | None = (
            "worker" if WORKERS in entry.groups else "controller" if CONTROLLERS in entry.groups else None
        )
        if role is None:
            if data.manage_routes:
                self.report(
                    entry.holder,
                    "groups",
                    f"is in neither {CONTROLLERS} nor {WORKERS}; add one, or write data.manage_routes: false",
                )
            return None
        if not is_host_name(entry.name):
            self.report(entry.holder, "", "is no name for a host; use letters, digits, dots and dashes")
        address = self._address(entry)
        if role == "controller":
            for key in ("pod_index", "pod_cidrs"):
                if getattr(data, key) is not None:
                    self.report(entry.holder, f"data.{key}", f"is for workers, and this host is only in {CONTROLLERS}")
        internal_ips = tuple(self._internal_ips(entry, data, address, role))
        pod_cidrs = tuple(self._pod_cidrs(entry, data)) if role == "worker" else ()
        if BY_SETTING.get(data.persist) in HOOK_PATHS and not data.routes_service:
            holder = entry.holders.get("persist", entry.holder)
            of = "" if holder == entry.holder else f" for {entry.name}"
            needs = f"{data.persist}{of} needs routes.service, and routes_service is false"
            self.report(holder, "data.persist", f"{needs}; leave one of the two out")
        return Node(
            entry.name,
            role,
            address,
            internal_ips,
            pod_cidrs,
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
            family = family_of(network)
            explicit = _of_family(data.internal_ips, family)
            first = _of_family(data.first_internal_ips, family)
            if explicit is not None:
                key, ip = "data.internal_ips", explicit
            elif reached_at is not None and reached_at in network:
                key, ip = "hostname", reached_at
            elif first is not None and data.pod_index is not None:
                key = "data.first_internal_ips"
                if int(first) + data.pod_index >= 2**first.max_prefixlen:
                    holder = entry.holders.get("first_internal_ips", entry.holder)
                    self.report(holder, key, f"there is no address that is {data.pod_index} after {first}")
                    continue
                ip = first + data.pod_index
            else:
                if role == "worker":
                    self.report(
                        entry.holder,
                        "data.internal_ips",
                        f"is missing: the others need an IPv{family} address in {network} as next hop; write one",
                    )
                continue
            holder = entry.holders.get(key.removeprefix("data."), entry.holder)
            of = "" if holder == entry.holder else f" for {entry.name}"
            if not _is_usable(ip, network):
                self.report(holder, key, f"{ip}{of} is no machine's address in the node network {network}")
            self.ip_keys[entry.name, ip] = (holder, key, of)
            yield ip
        for ip in data.internal_ips or ():
            if ip.version not in {network.version for network in self.cluster.node_network}:
                self.report(
                    entry.holder, "data.internal_ips", f"{ip}: the cluster's node_network has no IPv{ip.version}"
                )

    def _pod_cidrs(self, entry: HostEntry, data: HostData) -> Iterator[IPNetwork]:
        needs_index = False
        for cluster_cidr in self.cluster.cluster_cidr:
            family = family_of(cluster_cidr)
            explicit = _of_family(data.pod_cidrs, family)
            if explicit is not None:
                if not contains(cluster_cidr, explicit):
                    self.report(entry.holder, "data.pod_cidrs", f"{explicit} is not inside cluster_cidr {cluster_cidr}")
                self.explicit_cidrs.add((entry.name, explicit))
                yield explicit
            elif data.pod_index is None:
                needs_index = True
            else:
                mask = self.masks[family]
                count = 2 ** (mask - cluster_cidr.prefixlen)
                if data.pod_index < count:
                    yield subnet(cluster_cidr, mask, data.pod_index)
                else:
                    self.report(
                        entry.holder,
                        "data.pod_index",
                        f"{data.pod_index} is out of range: {cluster_cidr} holds /{mask} networks 0 to {count - 1}",
                    )
        if needs_index:
            self.report(entry.holder, "data.pod_index", "is missing; write the worker's number, counted from 0")
        for cidr in data.pod_cidrs or ():
            if cidr.version not in {network.version for network in self.cluster.cluster_cidr}:
                self.report(entry.holder, "data.pod_cidrs", f"{cidr}: cluster_cidr has no IPv{cidr.version}")

    def check_together(self, nodes: Mapping[str, Node]) -> None:
        """Find what is wrong only with several machines, or with machines and ranges, side by side."""
        self._check_unique(nodes)
        pods = sorted(
            ((cidr, node.name) for node in nodes.values() for cidr in node.pod_cidrs), key=lambda pod: sort_key(pod[0])
        )
        outermost = self._check_overlaps(pods)
        for cidr, name in pods:
            for key, networks in (
                ("node_network", self.cluster.node_network),
                ("service_cluster_ip_range", self.cluster.service_cluster_ip_range or ()),
            ):
                for network in networks:
                    if overlap(cidr, network):
                        self.report(
                            self.entries[name].holder,
                            self._cidr_key(name, cidr),
                            f"pod CIDR {cidr} overlaps {key} {network}",
                        )
        self._check_addresses(nodes, outermost)

    def _check_overlaps(self, pods: Sequence[tuple[IPNetwork, str]]) -> Sequence[tuple[IPNetwork, str]]:
        """Report pod CIDRs that lie in others; returns the others."""
        outermost: list[tuple[IPNetwork, str]] = []  # sorted, so only the last one can reach further
        for cidr, name in pods:
            if outermost and overlap(outermost[-1][0], cidr):
                other, owner = outermost[-1]
                what = f"is {owner}'s already" if cidr == other else f"overlaps {owner}'s, {other}"
                self.report(self.entries[name].holder, self._cidr_key(name, cidr), f"pod CIDR {cidr} {what}")
            else:
                outermost.append((cidr, name))
        return outermost

    def _check_addresses(self, nodes: Mapping[str, Node], pods: Sequence[tuple[IPNetwork, str]]) -> None:
        keys = [sort_key(cidr) for cidr, _ in pods]
        for node in nodes.values():
            address = _as_address(node.address)
            if address is None:
                continue
            position = bisect_right(keys, (address.version, int(address), address.max_prefixlen)) - 1
            if position >= 0 and contains(pods[position][0], address):
                cidr, name = pods[position]
                self.report(
                    self.entries[node.name].holder,
                    "hostname",
                    f"{address} lies in the pod CIDR {cidr} of {name}: its route would cut this host off",
                )

    def _check_unique(self, nodes: Mapping[str, Node]) -> None:
        indices: dict[int, list[str]] = defaultdict(list)
        ips: dict[IPAddress, list[str]] = defaultdict(list)
        for node in nodes.values():
            if node.role == "worker" and isinstance(index := self.entries[node.name].data.get("pod_index"), int):
                indices[index].append(node.name)
            for ip in node.internal_ips:
                ips[ip].append(node.name)
        for index, names in indices.items():
            for name in names[1:]:
                self.report(self.entries[name].holder, "data.pod_index", f"{index} is used by {names[0]} already")
        for ip, names in ips.items():
            for name in names[1:]:
                holder, key, of = self.ip_keys[name, ip]
                self.report(holder, key, f"{ip}{of} is used by {names[0]} already")

    def _cidr_key(self, name: str, cidr: IPNetwork) -> str:
        return "data.pod_cidrs" if (name, cidr) in self.explicit_cidrs else "data.pod_index"


def _is_number(name: object) -> bool:
    return not isinstance(name, str)


def _as_address(text: str) -> IPAddress | None:
    try:
        return parse_address(text)
    except ValueError:
        return None


def _of_family(values: Sequence[_Value] | None, family: Family) -> _Value | None:
    return next((value for value in values or () if value.version == family), None)


def _is_usable(ip: IPAddress, network: IPNetwork) -> bool:
    if not contains(network, ip):
        return False
    if isinstance(network, IPv6Network) or network.prefixlen >= 31:  # RFC 3021: no broadcast there
        return True
    return ip not in (network.network_address, network.broadcast_address)
