"""From the instances of LXD or Incus to hosts of the inventory. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, ValidationError, convert

from podroutes.addresses import IPAddress, IPNetwork, contains
from podroutes.errors import Problem
from podroutes.inventory.key_types import CONTROLLERS, WORKERS, Networks
from podroutes.plugins.inventory.merged import DiscoveredHosts, mapping

GROUP_KEY: Final = "user.group"
POD_INDEX_KEY: Final = "user.pod-index"
NO_GROUP: Final = "none"
_NUMBER_AT_END: Final = re.compile(r"(?:^|[^0-9])(0|[1-9][0-9]{0,5})$")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_RUNNING: Final = "Running"


class _Address(Struct, frozen=True):
    address: str
    scope: str = ""


class _Interface(Struct, frozen=True):
    addresses: tuple[_Address, ...] = ()


class _State(Struct, frozen=True):
    network: dict[str, _Interface] | None = None


class Instance(Struct, frozen=True):
    """An instance as `GET /1.0/instances?recursion=2` lists it, without what is not needed here.

    Attributes:
        name: Its name, unique in the project.
        status: `Running`, `Stopped`, `Frozen` and the like.
        state: What it has now; without networks unless it runs.
        expanded_config: Its configuration with that of its profiles.
        expanded_devices: Its devices, likewise.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,63}$")]
    status: str = ""
    state: _State | None = None
    expanded_config: dict[str, str] | None = None
    expanded_devices: dict[str, dict[str, str]] | None = None

    def config(self, key: str) -> str | None:
        """A key of its configuration, if it is set."""
        return (self.expanded_config or {}).get(key)

    def present_addresses(self, interface: str) -> Iterator[IPAddress]:
        """Addresses that an interface has now."""
        networks = (self.state.network if self.state is not None else None) or {}
        device = networks.get(interface, _Interface())
        yield from _parsed(one.address for one in device.addresses if one.scope in ("", "global"))

    def fixed_addresses(self, interface: str) -> Iterator[IPAddress]:
        """Addresses that the daemon's DHCP keeps for an interface: known also while the instance is stopped."""
        for name, device in (self.expanded_devices or {}).items():
            if device.get("type") == "nic" and device.get("name", name) == interface:
                yield from _parsed(device.get(key, "") for key in ("ipv4.address", "ipv6.address"))


class Rules(Struct, frozen=True):
    """How instances become hosts.

    Attributes:
        patterns: Of names, by the group that they mean.
        interface: The device inside an instance that has its internal IP.
        node_networks: What internal IPs are in; any address counts where that is not known.
        connection: Name of the connection plugin.
        host_file: Where a person writes what instances do not say; for messages.
    """

    patterns: Mapping[str, Sequence[str]]
    interface: str
    node_networks: tuple[IPNetwork, ...]
    connection: str
    host_file: str


def hosts_from(answer: Sequence[Any], rules: Rules, source: str, overrides: Mapping[str, Any]) -> DiscoveredHosts:
    """Make hosts of instances.

    Args:
        answer: The API's list.
        rules: How.
        source: What the daemon is called, in messages.
        overrides: What `hosts.yaml` holds; a host with groups there is of the cluster whatever its name is.

    Returns:
        Hosts for all instances of the cluster, also those that do not run; a note for each other one.
    """
    reader = _Reader(rules, source)
    instances = sorted(reader.parse(answer), key=lambda one: _natural(one.name))
    hosts = {}
    for instance in instances:
        own = mapping(overrides.get(instance.name))
        groups = own.get("groups") or reader.groups(instance, is_known=own.get("data") is not None)
        if groups:
            hosts[instance.name] = reader.host(instance, list(groups), mapping(own.get("data")))
    reader.check_names(overrides, [instance.name for instance in instances])
    return DiscoveredHosts(source, hosts, tuple(reader.notes), tuple(reader.problems))


def parse_node_networks(defaults: Mapping[str, Any]) -> tuple[IPNetwork, ...]:
    """`node_network` of `defaults.yaml`; nothing where it is wrong, which preflight reports.

    Args:
        defaults: What the file holds.
    """
    try:
        return Networks.parse(mapping(defaults.get("data")).get("node_network"))
    except ValueError:
        return ()


class _Reader:
    """Reads instances and gathers problems and notes; lives for one `hosts_from`."""

    def __init__(self, rules: Rules, source: str) -> None:
        self.rules = rules
        self.source = source
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def report(self, name: str, key: str, message: str) -> None:
        self.problems.append(Problem(self.source, name, key, message))

    def parse(self, answer: Sequence[Any]) -> Iterator[Instance]:
        for item in answer:
            try:
                yield convert(item, Instance)
            except ValidationError:
                self.report(
                    str(mapping(item).get("name", "?"))[:63], "", "the daemon's answer about it is not understood"
                )

    def groups(self, instance: Instance, *, is_known: bool) -> list[str]:
        """The instance's group, or none; a note says why there is none, unless a person wrote about the host."""
        name, written = instance.name, instance.config(GROUP_KEY)
        if written in (CONTROLLERS, WORKERS):
            return [written]
        if written not in (None, NO_GROUP):
            message = f"{written!r} is no group: write {CONTROLLERS}, {WORKERS} or {NO_GROUP}"
            self.report(name, GROUP_KEY, message)
            return []
        patterns = self.rules.patterns if written is None else {}
        fitting = [group for group, names in patterns.items() if any(fnmatchcase(name, one) for one in names)]
        if len(fitting) > 1:
            self.report(name, GROUP_KEY, f"patterns of {' and '.join(fitting)} fit its name: set {GROUP_KEY} on it")
            return []
        if not fitting and not is_known:
            known = ", ".join(pattern for names in patterns.values() for pattern in names)
            self.notes.append(
                f"{name}: not a machine of the cluster: its {GROUP_KEY} is {NO_GROUP}"
                if written == NO_GROUP
                else f"{name}: not taken for a machine of the cluster: its name fits none of {known}"
            )
        return fitting

    def host(self, instance: Instance, groups: list[str], own: Mapping[str, Any]) -> dict[str, Any]:
        """The host's entry; `own` is what a person wrote below its `data`."""
        data: dict[str, Any] = {"connection": self.rules.connection, "interface": self.rules.interface}
        is_worker = WORKERS in groups
        if is_worker and "pod_index" not in own:
            index = self._pod_index(instance)
            data |= {} if index is None else {"pod_index": index}
        if "internal_ips" not in own:
            # Nobody needs a controller's, and `first_internal_ips` may give a worker's.
            ips = self._internal_ips(instance, is_needed=is_worker and "first_internal_ips" not in own)
            data |= {"internal_ips": ips} if ips else {}
        return {"hostname": instance.name, "groups": groups, "data": data}

    def _pod_index(self, instance: Instance) -> int | None:
        written = instance.config(POD_INDEX_KEY)
        if written is None:
            found = _NUMBER_AT_END.search(instance.name)
            return None if found is None else int(found[1])
        if _NUMBER.fullmatch(written) is None:
            self.report(instance.name, POD_INDEX_KEY, f"{written!r} is no number: write 0, 1, 2 …")
            return None
        return int(written)

    def _internal_ips(self, instance: Instance, *, is_needed: bool) -> list[str]:
        interface, node_networks = self.rules.interface, self.rules.node_networks
        chosen: list[str] = []
        for family in [network.version for network in node_networks] or [4]:
            networks = [network for network in node_networks if network.version == family]
            here = _usable(instance.present_addresses(interface), family, networks)
            fixed = _usable(instance.fixed_addresses(interface), family, networks)
            best = [ip for ip in fixed if ip in here or not here] or here
            if len(best) == 1:
                chosen.append(str(best[0]))
            elif is_needed:
                where = f"{interface} has {'more than one' if best else 'no'} IPv{family} address"
                where += f" in {' or '.join(map(str, networks))}" if networks else ""
                where += f": {', '.join(map(str, best))}" if best else ""
                state = "" if instance.status == _RUNNING else f", and the instance is {instance.status.lower()}"
                advice = f"write the one that is its next hop as data.internal_ips in {self.rules.host_file}"
                self.report(instance.name, "data.internal_ips", f"{where}{state}; {advice}")
        return chosen

    def check_names(self, overrides: Mapping[str, Any], names: Sequence[str]) -> None:
        """Report hosts of the file that are neither instances nor reached in another way: misspelt, most likely."""
        for name, entry in overrides.items():
            content = mapping(entry)
            if name not in names and content and not content.get("hostname"):
                message = (
                    f"there is no instance of this name ({self.source} has: {', '.join(names) or 'none'}); "
                    "a machine that ssh reaches needs its hostname here"
                )
                self.problems.append(Problem(self.rules.host_file, str(name), "", message))


def _parsed(texts: Iterator[str]) -> Iterator[IPAddress]:
    for text in texts:
        try:
            yield ip_address(text)
        except ValueError:
            continue


def _usable(addresses: Iterator[IPAddress], family: int, networks: Sequence[IPNetwork]) -> list[IPAddress]:
    """Those of a family that are in one of the networks, if any network is known."""
    found = [ip for ip in addresses if ip.version == family]
    return [ip for ip in found if not networks or any(contains(network, ip) for network in networks)]


def _natural(name: str) -> list[tuple[int, str]]:
    """Order names as people do: worker-2 before worker-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]
