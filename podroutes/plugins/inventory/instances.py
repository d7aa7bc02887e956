"""From the instances of LXD or Incus to hosts of the inventory. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, ValidationError, convert

from podroutes.addresses import IPAddress, IPNetwork, parse_network
from podroutes.errors import Problem
from podroutes.inventory.key_types import CONTROLLERS, WORKERS
from podroutes.plugins.inventory.merged import Found

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
    """An instance as `GET /1.0/instances?recursion=2` lists it; what is not needed of that is passed over.

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


def hosts_from(answer: Sequence[Any], rules: Rules, source: str, overrides: Mapping[str, Any]) -> Found:
    """Make hosts of instances.

    Args:
        answer: The API's list.
        rules: How.
        source: What the daemon is called, in messages.
        overrides: What `hosts.yaml` holds; a host with groups there is of the cluster whatever its name is.

    Returns:
        Hosts for all instances of the cluster, also those that do not run; a note for each other one.
    """
    hosts: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    problems: list[Problem] = []
    instances, unread = _parse(answer)
    problems += [Problem(source, name, "", "the daemon's answer about it is not understood") for name in unread]
    for instance in sorted(instances, key=lambda one: _natural(one.name)):
        own = _mapping(overrides.get(instance.name))
        groups = list(own.get("groups") or ())
        if not groups:
            group, said = _group(instance, rules, source)
            problems += said
            if group is None and not said and own.get("data") is None:
                notes.append(_left_out(instance, rules))
            if group is None:
                continue
            groups = [group]
        host, said = _host(instance, groups, rules, source, _mapping(own.get("data")))
        hosts[instance.name] = host
        problems += said
    problems += _strangers(overrides, instances, rules, source)
    return Found(source, hosts, tuple(notes), tuple(problems))


def _parse(answer: Sequence[Any]) -> tuple[list[Instance], list[str]]:
    instances, unread = [], []
    for item in answer:
        try:
            instances.append(convert(item, Instance))
        except ValidationError:
            unread.append(str(_mapping(item).get("name", "?"))[:63])
    return instances, unread


def _group(instance: Instance, rules: Rules, source: str) -> tuple[str | None, list[Problem]]:
    said = (instance.expanded_config or {}).get(GROUP_KEY)
    if said == NO_GROUP:
        return None, []
    if said in (CONTROLLERS, WORKERS):
        return said, []
    if said is not None:
        message = f"{said!r} is no group: write {CONTROLLERS}, {WORKERS} or {NO_GROUP}"
        return None, [Problem(source, instance.name, GROUP_KEY, message)]
    fitting = [
        group
        for group, patterns in rules.patterns.items()
        if any(fnmatchcase(instance.name, pattern) for pattern in patterns)
    ]
    if len(fitting) > 1:
        message = f"patterns of {' and '.join(fitting)} fit its name: set {GROUP_KEY} on it"
        return None, [Problem(source, instance.name, GROUP_KEY, message)]
    return (fitting[0] if fitting else None), []


def _left_out(instance: Instance, rules: Rules) -> str:
    if (instance.expanded_config or {}).get(GROUP_KEY) == NO_GROUP:
        return f"{instance.name}: not a machine of the cluster: its {GROUP_KEY} is {NO_GROUP}"
    patterns = ", ".join(pattern for group in rules.patterns.values() for pattern in group)
    return f"{instance.name}: not taken for a machine of the cluster: its name fits none of {patterns}"


def _host(
    instance: Instance, groups: list[str], rules: Rules, source: str, own: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    data: dict[str, Any] = {"connection": rules.connection, "interface": rules.interface}
    problems: list[Problem] = []
    is_worker = WORKERS in groups
    if is_worker and "pod_index" not in own:
        index, said = _pod_index(instance, source)
        problems += said
        if index is not None:
            data["pod_index"] = index
    if "internal_ips" not in own:
        ips, said = _internal_ips(instance, rules, source)
        if ips:
            data["internal_ips"] = ips
        # Nobody needs a controller's, and `first_internal_ips` may give a worker's.
        if is_worker and "first_internal_ips" not in own:
            problems += said
    return {"hostname": instance.name, "groups": groups, "data": data}, problems


def _pod_index(instance: Instance, source: str) -> tuple[int | None, list[Problem]]:
    said = (instance.expanded_config or {}).get(POD_INDEX_KEY)
    if said is None:
        found = _NUMBER_AT_END.search(instance.name)
        return (None if found is None else int(found[1])), []
    if _NUMBER.fullmatch(said) is None:
        return None, [Problem(source, instance.name, POD_INDEX_KEY, f"{said!r} is no number: write 0, 1, 2 …")]
    return int(said), []


def _internal_ips(instance: Instance, rules: Rules, source: str) -> tuple[list[str], list[Problem]]:
    fixed = list(_fixed(instance, rules.interface))
    present = [ip for ip in _present(instance, rules.interface) if _is_in(ip, rules.node_networks)]
    chosen: list[str] = []
    problems: list[Problem] = []
    families = [network.version for network in rules.node_networks] or [4]
    for family in families:
        here = [ip for ip in present if ip.version == family]
        known = [ip for ip in fixed if ip.version == family and _is_in(ip, rules.node_networks)]
        best = [ip for ip in known if ip in here or not here] or here
        if len(best) == 1:
            chosen.append(str(best[0]))
            continue
        networks = " or ".join(str(network) for network in rules.node_networks if network.version == family)
        where = f"{rules.interface} has {'no' if not best else 'more than one'} IPv{family} address"
        where += f" in {networks}" if networks else ""
        where += f": {', '.join(map(str, best))}" if best else ""
        state = "" if instance.status == _RUNNING else f", and the instance is {instance.status.lower()}"
        message = f"{where}{state}; write the one that is its next hop as data.internal_ips in {rules.host_file}"
        problems.append(Problem(source, instance.name, "data.internal_ips", message))
    return chosen, problems


def _present(instance: Instance, interface: str) -> Iterator[IPAddress]:
    networks = (instance.state.network if instance.state is not None else None) or {}
    device = networks.get(interface)
    for one in device.addresses if device is not None else ():
        address = _address(one.address)
        if address is not None and one.scope in ("", "global"):
            yield address


def _fixed(instance: Instance, interface: str) -> Iterator[IPAddress]:
    """Addresses that the daemon's DHCP keeps for the instance: known also while it is stopped."""
    for name, device in (instance.expanded_devices or {}).items():
        if device.get("type") == "nic" and device.get("name", name) == interface:
            for key in ("ipv4.address", "ipv6.address"):
                address = _address(device.get(key, ""))
                if address is not None:
                    yield address


def _address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_in(ip: IPAddress, networks: Sequence[IPNetwork]) -> bool:
    return not networks or any(ip.version == network.version and ip in network for network in networks)


def _strangers(
    overrides: Mapping[str, Any], instances: Sequence[Instance], rules: Rules, source: str
) -> Iterator[Problem]:
    """Hosts of the file that are neither instances nor reached in another way: misspelt, most likely."""
    names = {instance.name for instance in instances}
    for name, entry in overrides.items():
        content = _mapping(entry)
        if name not in names and content and not content.get("hostname"):
            known = ", ".join(sorted(names, key=_natural)) or "none"
            message = (
                f"there is no instance of this name ({source} has: {known}); "
                "a machine that ssh reaches needs its hostname here"
            )
            yield Problem(rules.host_file, str(name), "", message)


def parse_node_networks(defaults: Mapping[str, Any]) -> tuple[IPNetwork, ...]:
    """`node_network` of `defaults.yaml`; nothing where it is wrong, which preflight says.

    Args:
        defaults: What the file holds.
    """
    value = _mapping(defaults.get("data")).get("node_network")
    parts = value if isinstance(value, list) else str(value or "").split(",")
    try:
        return tuple(parse_network(part.strip() if isinstance(part, str) else part) for part in parts)
    except ValueError:
        return ()


def _natural(name: str) -> list[tuple[int, str]]:
    """Order names as people do: worker-2 before worker-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
