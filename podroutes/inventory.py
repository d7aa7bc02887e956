"""What an inventory may say about a cluster: the keys below `data`, their types, and where each belongs.

The names are Kubernetes' own where it has one (`--cluster-cidr`, `--node-cidr-mask-size`,
`--service-cluster-ip-range`). Keys that start with `x_` belong to the engineer and are never looked at.
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, TypeVar

from msgspec import Struct
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)
from pydantic.json_schema import WithJsonSchema

from podroutes.errors import Problem
from podroutes.values import IPAddress, IPNetwork, parse_address, parse_interface_name, parse_network

CONTROLLERS: Final = "controllers"
WORKERS: Final = "workers"
OPENSTACK: Final = "openstack"
OWN_KEY_PREFIX: Final = "x_"
DEFAULTS: Final = "defaults"
NO_TEXT: Final = "must be text; put it in quotes"

_Value = TypeVar("_Value", IPAddress, IPNetwork)
_Model = TypeVar("_Model", bound=BaseModel)


def _one_or_both(parse: Callable[[object], _Value], value: object) -> tuple[_Value, ...]:
    """Parse one value, a comma-separated text or a list: at most one of each family, IPv4 first."""
    parts: Iterable[object] = value if isinstance(value, list) else [value]
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
    values = tuple(parse(part) for part in parts)
    if not values:
        message = "the list is empty; leave the key out, or write one value for each family"
        raise ValueError(message)
    if len({item.version for item in values}) != len(values):
        message = "there are two values of one family; write one for IPv4, one for IPv6, or one of each"
        raise ValueError(message)
    return tuple(sorted(values, key=lambda item: item.version))


def _schema(example: str) -> WithJsonSchema:
    text = {"type": "string", "examples": [example]}
    return WithJsonSchema({"anyOf": [text, {"type": "array", "items": text, "minItems": 1, "maxItems": 2}]})


Addresses = Annotated[
    tuple[IPAddress, ...],
    BeforeValidator(lambda value: _one_or_both(parse_address, value)),
    _schema("10.240.0.20"),
]
Networks = Annotated[
    tuple[IPNetwork, ...],
    BeforeValidator(lambda value: _one_or_both(parse_network, value)),
    _schema("10.200.0.0/16"),
]
InterfaceName = Annotated[str, BeforeValidator(parse_interface_name)]
MaskSize4 = Annotated[StrictInt, Field(ge=1, le=32)]
MaskSize6 = Annotated[StrictInt, Field(ge=1, le=128)]


class ClusterData(BaseModel):
    """The network plan's keys, once for the whole cluster, below `data` in `defaults.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cluster_cidr: Annotated[
        Networks, Field(description="The range that all pod CIDRs are cut from; IPv4, IPv6 or both.")
    ]
    node_network: Annotated[Networks, Field(description="The network that the machines' internal IPs are in.")]
    service_cluster_ip_range: Annotated[
        Networks | None, Field(description="The range of service IPs; no pod CIDR may overlap it.")
    ] = None
    network: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="The network's name, for reports.")
    ] = "kubernetes-the-hard-way"
    node_cidr_mask_size: Annotated[
        MaskSize6 | None, Field(description="Mask of a worker's pod CIDR, where the cluster has one family.")
    ] = None
    node_cidr_mask_size_ipv4: Annotated[
        MaskSize4 | None, Field(description="Mask of a worker's IPv4 pod CIDR; 24 if left out.")
    ] = None
    node_cidr_mask_size_ipv6: Annotated[
        MaskSize6 | None, Field(description="Mask of a worker's IPv6 pod CIDR; 64 if left out.")
    ] = None


class HostData(BaseModel):
    """A machine's keys, below `data` on a host; most may stand on a group or in the defaults as well."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pod_index: Annotated[
        Annotated[StrictInt, Field(ge=0)] | None,
        Field(
            description="A worker's number: its pod CIDR is the one with this number in cluster_cidr, counted from 0."
        ),
    ] = None
    internal_ips: Annotated[
        Addresses | None,
        Field(description="The machine's addresses in node_network, one a family. Left out: `hostname`, if it is one."),
    ] = None
    first_internal_ips: Annotated[
        Addresses | None,
        Field(description="Internal IPs of pod index 0, one a family; pod_index is added for each worker."),
    ] = None
    pod_cidrs: Annotated[
        Networks | None, Field(description="The worker's pod CIDRs, one a family, instead of the computed ones.")
    ] = None
    connection: Annotated[
        Literal["linux_exec", "lxd"],
        Field(description="What reaches the machine: linux_exec (SSH), or lxd (LXD or Incus, by the instance's name)."),
    ] = "linux_exec"
    interface: Annotated[
        InterfaceName | None,
        Field(description="The device that routes use, instead of the one that has the internal IP."),
    ] = None
    manage_routes: Annotated[
        StrictBool,
        Field(description="false: this machine is never connected to; the others still get its pod CIDRs' routes."),
    ] = True
    routes_service: Annotated[
        StrictBool,
        Field(description="false: no routes.service on this machine, so its routes are gone after a reboot."),
    ] = True


def _resource_name(value: str) -> str:
    for wrong, message in (
        (value == "", "must not be empty"),
        (len(value) > 255, "must have at most 255 characters"),
        (not value.isprintable(), "must be one line"),
    ):
        if wrong:
            raise ValueError(message)
    return value


_NAME_SCHEMA: Final = {"type": "string", "minLength": 1, "maxLength": 255}
ResourceName = Annotated[str, Field(strict=True), AfterValidator(_resource_name), WithJsonSchema(_NAME_SCHEMA)]


def _one_or_two(value: object) -> object:
    names = value if isinstance(value, list) else [value]
    if not 1 <= len(names) <= 2:
        message = "must be a subnet's name or id, or a list of two for both families"
        raise ValueError(message)
    if len(names) == 2 and names[0] == names[1]:
        message = f"names {names[0]} twice; write one subnet of each family"
        raise ValueError(message)
    return names


class CloudData(BaseModel):
    """A cloud's keys, below `data` on a host of the group `openstack`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    cloud: Annotated[ResourceName, Field(description="The cloud's name in clouds.yaml.")]
    network: Annotated[ResourceName, Field(description="Name or id of the machines' network.")]
    subnet: Annotated[
        tuple[ResourceName, ...],
        BeforeValidator(_one_or_two),
        WithJsonSchema(
            {
                "anyOf": [
                    _NAME_SCHEMA,
                    {"type": "array", "items": _NAME_SCHEMA, "minItems": 1, "maxItems": 2},
                ]
            }
        ),
        Field(description="Name or id of the subnet; a list of two for both families."),
    ]
    router: Annotated[ResourceName | None, Field(description="Name or id of the router, for route_target: router.")] = (
        None
    )
    route_target: Annotated[
        Literal["subnet", "router"],
        Field(description="Where the routes go: host routes of the subnet, or extra routes of the router."),
    ] = "subnet"
    allowed_address_pairs: Annotated[
        StrictBool,
        Field(
            description="Let each worker's port send from its pod CIDRs; without it, port security drops pod traffic."
        ),
    ] = True
    max_subnet_host_routes: Annotated[
        StrictInt, Field(ge=1, description="The operator's limit of host routes a subnet; no API tells it.")
    ] = 20
    manage_routes: Annotated[StrictBool, Field(description="false: leave this cloud alone.")] = True


CLUSTER_KEYS: Final = frozenset(ClusterData.model_fields)
HOST_KEYS: Final = frozenset(HostData.model_fields)
CLOUD_KEYS: Final = frozenset(CloudData.model_fields)
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
    model: type[_Model],
    data: Mapping[str, Any],
    holder_of: Callable[[str], Holder],
    keys: frozenset[str] = CLUSTER_KEYS | HOST_KEYS,
) -> tuple[_Model | None, list[Problem]]:
    own = {key: value for key, value in data.items() if not str(key).startswith(OWN_KEY_PREFIX)}
    try:
        return model.model_validate(own), []
    except ValidationError as error:
        return None, problems_of(error, holder_of, prefix="data", keys=keys)


def problems_of(
    error: ValidationError, holder_of: Callable[[str], Holder], *, prefix: str, keys: Iterable[str]
) -> list[Problem]:
    """Turn a validation error into problems that a person can act on.

    Args:
        error: What pydantic found.
        holder_of: Gives the holder of a top-level key.
        prefix: Dotted path of what was validated; empty for the holder itself.
        keys: The keys that are known, to suggest one for a misspelt one.

    Returns:
        One problem for each key that is wrong.
    """
    problems: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        key = str(detail["loc"][0]) if detail["loc"] else ""
        path = ".".join(part for part in (prefix, key) if part)
        problems.setdefault(key, holder_of(key).problem(path, _message(detail["type"], detail["msg"], key, keys)))
    return list(problems.values())


def _message(kind: str, text: str, key: str, keys: Iterable[str]) -> str:
    if kind in ("extra_forbidden", "invalid_key"):  # a key that is no text can't be known
        close = get_close_matches(key, list(keys), n=1)
        hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(sorted(keys))}"
        return f"unknown key; {hint} (keys of your own stand below data and start with {OWN_KEY_PREFIX})"
    if kind == "missing":
        return "is missing"
    if kind == "int_type":
        return "must be a whole number, without quotes"
    if kind == "bool_type":
        return "must be true or false, without quotes"
    if kind == "string_type":
        return NO_TEXT
    return text.removeprefix("Value error, ").replace("Input should be", "must be")
