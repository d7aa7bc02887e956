"""Clusters, hosts and their states, as short to write as the tests need them."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_interface
from typing import Any

from msgspec import Struct

from podroutes.addresses import Family, IPAddress, family_of, parse_address, parse_network
from podroutes.host.network_managers import ManagedLink
from podroutes.host.routes import DEFAULT_METRIC, LINK_SCOPE, Lookup, Route
from podroutes.host.state import FileState, HostState, InterfaceAddress, Link, SysctlSetting, UnitState
from podroutes.inventory.model import DEFAULTS, Holder, HostEntry
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.inventory.preflight import build_network_plan
from podroutes.plugins.connections.ssh.settings import SshExtras

HOSTS_FILE = "hosts.yaml"
GROUPS_FILE = "groups.yaml"
DEFAULTS_FILE = "defaults.yaml"
DEFAULTS_HOLDER = Holder(DEFAULTS_FILE, DEFAULTS)

IPV4: dict[str, Any] = {"cluster_cidr": "10.200.0.0/16", "node_network": "10.240.0.0/24"}
IPV6: dict[str, Any] = {"cluster_cidr": "fd00:200::/48", "node_network": "fd00:240::/64"}
DUAL: dict[str, Any] = {key: [IPV4[key], IPV6[key]] for key in IPV4}


class SomePlugins:
    """Connection plugins, as `podroutes.inventory.connection_options.ConnectionPlugins` says."""

    def names(self) -> Iterable[str]:
        """Ours, and one that is not."""
        return ("linux_exec", "netmiko")

    def extras(self, name: str) -> type[Struct] | None:
        """Ours are typed."""
        return SshExtras if name == "linux_exec" else None


def host(
    name: str,
    hostname: str | None = None,
    groups: Iterable[str] = ("workers",),
    group_data: Mapping[str, Mapping[str, Any]] | None = None,
    defaults: Mapping[str, Any] | None = None,
    **data: Any,  # noqa: ANN401  # values as YAML has them
) -> HostEntry:
    """An entry as the inventory gives it; `group_data` and `defaults` add keys where the host has none."""
    own = Holder(HOSTS_FILE, name)
    holders = dict.fromkeys(data, own)
    merged = dict(data)
    for group, values in (group_data or {}).items():
        for key, value in values.items():
            holders.setdefault(key, Holder(GROUPS_FILE, group))
            merged.setdefault(key, value)
    for key, value in (defaults or {}).items():
        holders.setdefault(key, DEFAULTS_HOLDER)
        merged.setdefault(key, value)
    return HostEntry(name, hostname, frozenset(groups), merged, own, holders)


def worker(index: int, hostname: str | None = None, **data: Any) -> HostEntry:  # noqa: ANN401  # likewise
    """A worker as the seed numbers them: worker-X is 10.240.0.(20 + X)."""
    return host(f"worker-{index}", hostname or f"10.240.0.{20 + index}", pod_index=index, **data)


def controller(index: int, hostname: str | None = None, **data: Any) -> HostEntry:  # noqa: ANN401  # likewise
    """A controller as the seed numbers them: controller-X is 10.240.0.(10 + X)."""
    return host(f"controller-{index}", hostname or f"10.240.0.{10 + index}", ["controllers"], **data)


def plan_of(defaults: Mapping[str, Any], *entries: HostEntry) -> NetworkPlan:
    """The network plan of a valid inventory."""
    return build_network_plan(defaults, DEFAULTS_HOLDER, entries)


def ipv4_cluster() -> NetworkPlan:
    """One controller, three workers, as in the seed."""
    return plan_of(IPV4, controller(0), worker(0), worker(1), worker(2))


def dual_stack_cluster() -> NetworkPlan:
    """The same with both families; IPv6 internal IPs end like the IPv4 ones."""
    return plan_of(
        DUAL,
        controller(0, internal_ips="fd00:240::10"),
        worker(0, internal_ips="fd00:240::20"),
        worker(1, internal_ips="fd00:240::21"),
        worker(2, internal_ips="fd00:240::22"),
    )


def ipv6_cluster() -> NetworkPlan:
    """The same with IPv6 alone."""
    return plan_of(
        IPV6,
        controller(0, "fd00:240::10"),
        worker(0, "fd00:240::20"),
        worker(1, "fd00:240::21"),
        worker(2, "fd00:240::22"),
    )


def link(name: str, *addresses: str, up: bool = True, carrier: bool = True) -> Link:
    """An interface; addresses with their mask."""
    interfaces = [ip_interface(address) for address in addresses]
    return Link(
        name, up, carrier, 1500, tuple(InterfaceAddress(interface.ip, interface.network) for interface in interfaces)
    )


def route(text: str) -> Route:
    """A route from words such as `10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 metric 5`.

    What `ip` would fill in is filled in: protocol, metric and scope.
    """
    words = text.split()
    kind = words.pop(0) if words[0].isalpha() else "unicast"
    destination = parse_network(words[0])
    values = dict(zip(words[1::2], words[2::2], strict=True))
    assert values.keys() <= {"via", "dev", "proto", "metric", "tos"}, values
    return Route(
        destination,
        parse_address(values["via"]) if "via" in values else None,
        values.get("dev"),
        int(values.get("proto", "3")),
        int(values.get("metric", DEFAULT_METRIC[family_of(destination)])),
        kind=kind,
        tos=values.get("tos", ""),
        scope=LINK_SCOPE if destination.version == 4 and kind == "unicast" and "via" not in values else 0,
    )


def routes_by_family(texts: Sequence[str | Route]) -> dict[Family, tuple[Route, ...]]:
    """Routes, grouped as a host's state has them."""
    routes = [text if isinstance(text, Route) else route(text) for text in texts]
    return {
        family: tuple(item for item in routes if family_of(item.destination) == family) for family in DEFAULT_METRIC
    }


def lookup(text: str) -> tuple[IPAddress, Lookup]:
    """What the kernel would do, from words such as `10.200.1.1 via 10.240.0.21 dev eth0`."""
    words = text.split()
    values = dict(zip(words[1::2], words[2::2], strict=True))
    address = parse_address(words[0])
    via = values.get("via")
    return address, Lookup(address, parse_address(via) if via is not None else None, values.get("dev"))


def state(
    *links: Link,
    routes: Sequence[str | Route] = (),
    lookups: Sequence[str] = (),
    sysctls: Mapping[str, str] | None = None,
    boot_sysctls: Sequence[SysctlSetting] = (),
    files: Mapping[str, FileState] | None = None,
    unit: UnitState | None = None,
    managers: Mapping[str, ManagedLink] | None = None,
) -> HostState:
    """A host's state; forwarding is off unless `sysctls` says otherwise."""
    return HostState(
        host_name="host",
        links={item.name: item for item in links},
        routes=routes_by_family(routes),
        lookups=dict(lookup(text) for text in lookups),
        route_text="",
        sysctls={"net.ipv4.ip_forward": "0"} if sysctls is None else sysctls,
        boot_sysctls=tuple(boot_sysctls),
        files=files or {},
        unit=unit or UnitState("not-found", "inactive", ""),
        managers=managers or {},
    )
