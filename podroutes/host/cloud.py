"""The machines' network in a cloud as it was read, typed; names are Neutron's."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

from msgspec import Struct, convert, to_builtins
from msgspec.structs import asdict

from podroutes.addresses import Family, IPAddress, IPNetwork, family_of, parse_address, parse_network
from podroutes.errors import CloudError


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


class AddressPair(Struct, frozen=True, omit_defaults=True):
    """An allowed address pair of a port: a source that port security lets through.

    The address is a network or an address, and kept as Neutron writes it, since foreign pairs go back unchanged.
    Neutron fills in the port's own MAC address where none is given.
    """

    ip_address: str
    mac_address: str | None = None

    def as_json(self) -> dict[str, str]:
        """As the API takes it."""
        pair: dict[str, str] = to_builtins(self)
        return pair


# Answers are as the API gives them, with addresses as text; states have them typed, which msgspec has no types for.


class _RouteAnswer(Struct, frozen=True):
    destination: str
    nexthop: str


class _Item(Struct, frozen=True, kw_only=True):
    id: str
    name: str = ""

    @property
    def label(self) -> str:
        """What a person knows it by."""
        return self.name or self.id


class _SubnetAnswer(_Item, frozen=True, kw_only=True):
    network_id: str
    cidr: Any
    enable_dhcp: bool = True
    host_routes: tuple[Any, ...] = ()


class SubnetState(_SubnetAnswer, frozen=True, kw_only=True):
    """A subnet as it is."""

    cidr: IPNetwork
    host_routes: tuple[HostRoute, ...] = ()

    @property
    def family(self) -> Family:
        """4 or 6."""
        return family_of(self.cidr)


class _FixedIpAnswer(Struct, frozen=True):
    ip_address: Any
    subnet_id: str


class FixedIp(_FixedIpAnswer, frozen=True):
    """An address of a port, and the subnet that it is of."""

    ip_address: IPAddress


class _PortAnswer(_Item, frozen=True, kw_only=True):
    mac_address: str = ""
    fixed_ips: tuple[_FixedIpAnswer, ...] = ()
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()


class PortState(_PortAnswer, frozen=True, kw_only=True):
    """A port as it is."""

    fixed_ips: tuple[FixedIp, ...] = ()


class _RouterAnswer(_Item, frozen=True, kw_only=True):
    routes: tuple[Any, ...] = ()


class RouterState(_RouterAnswer, frozen=True, kw_only=True):
    """A router as it is."""

    routes: tuple[HostRoute, ...] = ()


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


_State = TypeVar("_State", SubnetState, PortState, RouterState)


def _host_routes(answers: Iterable[object]) -> tuple[HostRoute, ...]:
    routes = convert(answers, tuple[_RouteAnswer, ...])
    return tuple(
        HostRoute(parse_network(route.destination), parse_address(route.nexthop), (route.destination, route.nexthop))
        for route in routes
    )


def _fixed_ips(answers: Iterable[_FixedIpAnswer]) -> tuple[FixedIp, ...]:
    return tuple(FixedIp(parse_address(answer.ip_address), answer.subnet_id) for answer in answers)


_TYPED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "cidr": parse_network,
    "host_routes": _host_routes,
    "routes": _host_routes,
    "fixed_ips": _fixed_ips,
}


def parse_subnets(items: Iterable[Mapping[str, Any]]) -> tuple[SubnetState, ...]:
    """Type what the API gives as subnets; what is not needed of them is passed over.

    Raises:
        CloudError: It is not that.
    """
    return _typed(_SubnetAnswer, SubnetState, items, "subnets")


def parse_ports(items: Iterable[Mapping[str, Any]]) -> tuple[PortState, ...]:
    """Type what the API gives as ports; see `parse_subnets`."""
    return _typed(_PortAnswer, PortState, items, "ports")


def parse_routers(items: Iterable[Mapping[str, Any]]) -> tuple[RouterState, ...]:
    """Type what the API gives as routers; see `parse_subnets`."""
    return _typed(_RouterAnswer, RouterState, items, "routers")


def _typed(
    answer: type[_Item], state: type[_State], items: Iterable[Mapping[str, Any]], what: str
) -> tuple[_State, ...]:
    states = []
    try:
        for item in items:
            values = asdict(convert(_without_nulls(item), answer))
            values |= {key: _TYPED[key](value) for key, value in values.items() if key in _TYPED}
            states.append(state(**values))
    except ValueError as error:
        message = f"the API's answer about {what} can't be understood: {str(error).partition(' - at `')[0]}"
        raise CloudError(message) from error
    return tuple(states)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401  # whatever the API answers
    """What a cloud's extensions do not offer comes as null; the defaults are Neutron's own."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
