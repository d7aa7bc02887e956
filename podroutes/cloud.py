"""What a cloud really has of the machines' network, typed; names are Neutron's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, TypeVar

from msgspec import Struct
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from podroutes.errors import CloudError
from podroutes.values import Family, IPAddress, IPNetwork, family_of, parse_address, parse_network

_Address = Annotated[IPAddress, BeforeValidator(parse_address)]
_Network = Annotated[IPNetwork, BeforeValidator(parse_network)]


@dataclass(frozen=True)
class HostRoute:
    """A host route of a subnet, or an extra route of a router.

    Attributes:
        destination: Where to.
        nexthop: Through whom.
        written: Both as the API wrote them, since foreign routes go back unchanged; None for a new one.
    """

    destination: IPNetwork
    nexthop: IPAddress
    written: tuple[str, str] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """As the command line shows it."""
        return f"destination='{self.destination}', gateway='{self.nexthop}'"

    def as_json(self) -> dict[str, str]:
        """As the API takes it."""
        destination, nexthop = self.written or (str(self.destination), str(self.nexthop))
        return {"destination": destination, "nexthop": nexthop}


def _host_route(value: object) -> HostRoute:
    if not isinstance(value, Mapping):
        message = "a route that is no mapping"
        raise ValueError(message)
    for key in ("destination", "nexthop"):
        if key not in value:
            message = f"a route without {key}"
            raise ValueError(message)
    destination, nexthop = value["destination"], value["nexthop"]
    return HostRoute(parse_network(destination), parse_address(nexthop), (destination, nexthop))


_HostRoutes = tuple[Annotated[InstanceOf[HostRoute], BeforeValidator(_host_route)], ...]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_not_known(cls, values: Any) -> Any:  # noqa: ANN401  # whatever the API answers
        # What a cloud's extensions do not offer comes as null; the defaults are Neutron's own.
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None}


class AddressPair(_Model):
    """An allowed address pair of a port: a source that port security lets through.

    The address is a network or an address, and kept as Neutron writes it, since foreign pairs go back unchanged.
    Neutron fills in the port's own MAC address where none is given.
    """

    ip_address: str
    mac_address: str | None = None

    def as_json(self) -> dict[str, str]:
        """As the API takes it."""
        return self.model_dump(exclude_none=True)


class _FixedIp(_Model):
    ip_address: _Address
    subnet_id: str


class SubnetState(_Model):
    """A subnet as it is."""

    id: str
    name: str = ""
    network_id: str
    cidr: _Network
    enable_dhcp: bool = True
    host_routes: _HostRoutes = ()

    @property
    def label(self) -> str:
        """What a person knows it by."""
        return self.name or self.id

    @property
    def family(self) -> Family:
        """4 or 6."""
        return 4 if self.cidr.version == 4 else 6


class PortState(_Model):
    """A port as it is."""

    id: str
    name: str = ""
    mac_address: str = ""
    fixed_ips: tuple[_FixedIp, ...] = ()
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()

    @property
    def label(self) -> str:
        """What a person knows it by."""
        return self.name or self.id


class RouterState(_Model):
    """A router as it is."""

    id: str
    name: str = ""
    routes: _HostRoutes = ()

    @property
    def label(self) -> str:
        """What a person knows it by."""
        return self.name or self.id


class CloudState(Struct, frozen=True, dict=True):
    """Everything that planning needs of a cloud.

    Attributes:
        network_id: Of the machines' network.
        subnets: Those that the inventory names, by family.
        ports: All of the network, in Neutron's order.
        router: The one that the inventory names; None where the routes go to the subnet.
    """

    network_id: str
    subnets: Mapping[Family, SubnetState]
    ports: tuple[PortState, ...]
    router: RouterState | None = None

    @cached_property
    def _holders(self) -> Mapping[tuple[IPAddress, str], PortState]:
        return {(fixed.ip_address, fixed.subnet_id): port for port in self.ports for fixed in port.fixed_ips}

    def port_of(self, address: IPAddress) -> PortState | None:
        """The port that holds an address on the subnet of its family."""
        subnet = self.subnets.get(family_of(address))
        return None if subnet is None else self._holders.get((address, subnet.id))


_Kind = TypeVar("_Kind")

_SUBNETS = TypeAdapter(tuple[SubnetState, ...])
_PORTS = TypeAdapter(tuple[PortState, ...])
_ROUTERS = TypeAdapter(tuple[RouterState, ...])


def parse_subnets(items: Iterable[Mapping[str, Any]]) -> tuple[SubnetState, ...]:
    """Type what the API gives as subnets.

    Raises:
        CloudError: It is not that.
    """
    return _typed(_SUBNETS, items, "subnets")


def parse_ports(items: Iterable[Mapping[str, Any]]) -> tuple[PortState, ...]:
    """Type what the API gives as ports; see `parse_subnets`."""
    return _typed(_PORTS, items, "ports")


def parse_routers(items: Iterable[Mapping[str, Any]]) -> tuple[RouterState, ...]:
    """Type what the API gives as routers; see `parse_subnets`."""
    return _typed(_ROUTERS, items, "routers")


def _typed(adapter: TypeAdapter[_Kind], items: Iterable[Mapping[str, Any]], what: str) -> _Kind:
    try:
        return adapter.validate_python(tuple(items))
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        message = f"the API's answer about {what} can't be understood: {reason}"
        raise CloudError(message) from error
