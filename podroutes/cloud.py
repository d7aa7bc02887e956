"""What a cloud really has of the machines' network, typed; names are Neutron's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from podroutes.errors import CloudError
from podroutes.values import Family, IPAddress, IPNetwork, parse_address, parse_network


def _address(value: object) -> IPAddress:
    return value if isinstance(value, IPv4Address | IPv6Address) else parse_address(value)


def _network(value: object) -> IPNetwork:
    return value if isinstance(value, IPv4Network | IPv6Network) else parse_network(value)


_Address = Annotated[IPAddress, BeforeValidator(_address)]
_Network = Annotated[IPNetwork, BeforeValidator(_network)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class HostRoute(_Model):
    """A host route of a subnet, or an extra route of a router."""

    destination: _Network
    nexthop: _Address

    def __str__(self) -> str:
        """As the command line shows it."""
        return f"destination='{self.destination}', gateway='{self.nexthop}'"


class AddressPair(_Model):
    """An allowed address pair of a port: a source that port security lets through.

    The address is a network or an address, and kept as Neutron writes it, since foreign pairs go back unchanged.
    """

    ip_address: str
    mac_address: str | None = None


class _FixedIp(_Model):
    ip_address: _Address
    subnet_id: str


class SubnetState(_Model):
    """A subnet as it is."""

    id: str
    name: str
    network_id: str
    cidr: _Network
    enable_dhcp: bool
    host_routes: tuple[HostRoute, ...] = ()

    @property
    def family(self) -> Family:
        """4 or 6."""
        return 4 if self.cidr.version == 4 else 6


class PortState(_Model):
    """A port as it is."""

    id: str
    name: str
    fixed_ips: tuple[_FixedIp, ...] = ()
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()

    @property
    def addresses(self) -> frozenset[IPAddress]:
        """Its fixed IPs."""
        return frozenset(fixed.ip_address for fixed in self.fixed_ips)


class RouterState(_Model):
    """A router as it is."""

    id: str
    name: str
    routes: tuple[HostRoute, ...] = ()


@dataclass(frozen=True)
class CloudState:
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

    def port_of(self, address: IPAddress) -> PortState | None:
        """The port that holds an address."""
        return next((port for port in self.ports if address in port.addresses), None)


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
        message = f"the API's answer about {what} can't be understood: {error.errors()[0]['msg']}"
        raise CloudError(message) from error
