"""The kernel's routes: the model, and the parsers of what `ip -j` prints."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from podroutes.errors import FactsError
from podroutes.values import (
    Family,
    IPAddress,
    IPNetwork,
    parse_address,
    parse_interface_name,
    parse_network,
)

# The protocol number that our routes carry; with the cluster's range it says which routes are ours.
PROTOCOL: Final = 201

# Names from iproute2's rt_protos (and linux/rtnetlink.h), for hosts whose `ip` ignores -N here. One that is not among
# them is 0: `proto unspec` selects a route whatever its protocol.
_PROTOCOLS: Final[Mapping[str, int]] = {
    "unspec": 0,
    "redirect": 1,
    "kernel": 2,
    "boot": 3,
    "static": 4,
    "gated": 8,
    "ra": 9,
    "mrt": 10,
    "zebra": 11,
    "bird": 12,
    "dnrouted": 13,
    "xorp": 14,
    "ntk": 15,
    "dhcp": 16,
    "keepalived": 18,
    "babel": 42,
    "bgp": 186,
    "isis": 187,
    "ospf": 188,
    "rip": 189,
    "eigrp": 192,
}
# What people know by name; any `ip` takes a number for the others.
_PROTOCOL_NAMES: Final = {number: name for name, number in _PROTOCOLS.items() if number in (0, 1, 2, 3, 4, 9, 16)}
_BLANKS: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_PROTOCOL_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
KERNEL: Final = 2
BOOT: Final = 3
RA: Final = 9
DHCP: Final = 16
# Route types (linux/rtnetlink.h) that -N makes numbers of.
_KINDS: Final[Mapping[str, str]] = {
    "1": "unicast",
    "2": "local",
    "3": "broadcast",
    "4": "anycast",
    "5": "multicast",
    "6": "blackhole",
    "7": "unreachable",
    "8": "prohibit",
    "9": "throw",
}
MULTIPATH: Final = "multipath"
# Names from iproute2's rt_scopes, which -N makes numbers of.
_SCOPES: Final[Mapping[str, int]] = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
_SCOPE_NAMES: Final = {number: name for name, number in _SCOPES.items()}
LINK_SCOPE: Final = 253
# RTA_PRIORITY that the kernel gives a route without a metric: 0 for IPv4, IP6_RT_PRIO_USER for IPv6.
DEFAULT_METRIC: Final[Mapping[Family, int]] = {4: 0, 6: 1024}


@dataclass(frozen=True, slots=True)
class NextHop:
    """One of a route's several next hops."""

    via: IPAddress | None
    dev: str | None
    weight: int = 1
    onlink: bool = False

    @property
    def selector(self) -> str:
        """As `ip route` takes it."""
        parts = ["nexthop"]
        if self.via is not None:
            # Without its family, `ip` would look for one of the destination's.
            parts += ["via", "inet6" if self.via.version == 6 else "inet", str(self.via)]
        if self.dev is not None:
            parts += ["dev", self.dev]
        parts += ["weight", str(self.weight)]
        return " ".join([*parts, "onlink"] if self.onlink else parts)


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the kernel's main table.

    Attributes:
        destination: Where it leads.
        via: Next hop, of the other family if need be; None where the destination is on the link, or where there are
            several.
        dev: Device; None where the route has none or several.
        protocol: Number of who made it (rtm_protocol): 2 the kernel, 3 boot, 16 DHCP, 201 this software.
        metric: Priority; the lowest wins.
        kind: Type as iproute2 names it, `unicast` for an ordinary one; `multipath` for one with several next hops.
        tos: Type of service it is limited to, as iproute2 prints it; empty for all.
        linkdown: Whether its device has no carrier.
        source: The preferred source address (`src`), if it has one.
        onlink: Whether the next hop is taken to be on the link, whatever the addresses there are.
        next_hops: Of a multipath route.
        scope: rtm_scope; 0 for a route with a next hop, 253 for one on the link. IPv6 has none.
    """

    destination: IPNetwork
    via: IPAddress | None
    dev: str | None
    protocol: int
    metric: int
    kind: str = "unicast"
    tos: str = ""
    linkdown: bool = False
    source: IPAddress | None = None
    onlink: bool = False
    next_hops: tuple[NextHop, ...] = ()
    scope: int = 0

    def leads(self, via: IPAddress, dev: str) -> bool:
        """Whether it sends packets to this next hop on this device, whoever made it and with whatever metric."""
        return self.kind == "unicast" and self.via == via and self.dev == dev

    @property
    def selector(self) -> str:
        """The route as `ip route del` and `ip route add` take it; every part comes from a typed value."""
        parts = [] if self.kind in ("unicast", MULTIPATH) else [self.kind]
        parts.append(str(self.destination))
        if self.tos:
            parts += ["tos", self.tos]
        if self.via is not None:
            other_family = self.via.version != self.destination.version
            parts += ["via", f"inet{'6' if self.via.version == 6 else ''}"] if other_family else ["via"]
            parts.append(str(self.via))
        if self.dev is not None:
            parts += ["dev", self.dev]
        parts += ["proto", _PROTOCOL_NAMES.get(self.protocol, str(self.protocol))]
        # Without its scope, a route on the link would select one with a next hop too; without its metric, an IPv6 route
        # one of a lower metric.
        if self.scope != 0 or self._is_on_link:
            parts += ["scope", _SCOPE_NAMES.get(self.scope, str(self.scope))]
        if self.metric != 0:
            parts += ["metric", str(self.metric)]
        if self.source is not None:
            parts += ["src", str(self.source)]
        if self.onlink:
            parts.append("onlink")
        return " ".join([*parts, *(hop.selector for hop in self.next_hops)])

    @property
    def _is_on_link(self) -> bool:
        return self.destination.version == 4 and self.kind == "unicast" and self.via is None

    def __str__(self) -> str:
        """As a person reads it."""
        return self.selector


def _destination(value: object, family: Family) -> IPNetwork:
    text = str(value)
    if text == "default":
        text = "0.0.0.0/0" if family == 4 else "::/0"
    if "/" not in text:
        text += "/32" if family == 4 else "/128"
    return parse_network(text)


def _protocol(value: object) -> int:
    text = str(value)
    if _NUMBER.fullmatch(text) is not None and int(text) <= 255:
        return int(text)
    if _PROTOCOL_NAME.fullmatch(text) is None:
        message = f"{text!r} is no routing protocol"
        raise ValueError(message)
    return _PROTOCOLS.get(text, 0)


def _scope(value: object) -> int:
    text = str(value)
    if _NUMBER.fullmatch(text) is not None and int(text) <= 255:
        return int(text)
    if text not in _SCOPES:
        message = f"{text!r} is no scope"
        raise ValueError(message)
    return _SCOPES[text]


_Address = Annotated[IPAddress, BeforeValidator(parse_address)]
_Dev = Annotated[str | None, BeforeValidator(lambda value: None if value is None else parse_interface_name(value))]


class _IpVia(BaseModel):
    """A next hop of the other family."""

    model_config = ConfigDict(extra="ignore")

    host: _Address


class _IpHop(BaseModel):
    """Where packets go: part of a route, of a lookup, or one of several."""

    model_config = ConfigDict(extra="ignore")

    gateway: _Address | None = None
    via: _IpVia | None = None
    dev: _Dev = None
    weight: Annotated[int, Field(ge=1, le=256)] = 1
    flags: list[str] = []

    @property
    def next_hop(self) -> IPAddress | None:
        """The address, whatever its family."""
        return self.via.host if self.via is not None else self.gateway


class _IpRoute(_IpHop):
    """One element of `ip -j -N route show`."""

    dst: str
    type: Annotated[str, Field(pattern=r"^[a-z0-9]+$")] = "unicast"
    protocol: Annotated[int, BeforeValidator(_protocol)] = BOOT
    metric: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    tos: Annotated[str, Field(pattern=r"^(0x[0-9a-f]{1,2}|[a-z0-9]*)$")] = ""
    scope: Annotated[int, BeforeValidator(_scope)] = 0
    prefsrc: _Address | None = None
    nexthops: list[_IpHop] = []


# Of large clusters, every machine has nearly the same routes: each is parsed once and shared.
_REMEMBERED: Final = 1 << 14


def parse_routes(text: str, family: Family) -> tuple[Route, ...]:
    """Parse what `ip -j -N -4|-6 route show table main` prints.

    Args:
        text: JSON: a list of objects; old versions print nothing at all for an empty table.
        family: Which of -4 and -6 it was.

    Returns:
        The routes in the kernel's order.

    Raises:
        FactsError: It is not that.
    """
    try:
        items = json.loads(text if text.strip() else "[]")
        if not isinstance(items, list):
            raise TypeError("it is no list")
        return tuple(_remembered_route(item, family) for item in items)
    except (ValueError, TypeError, RecursionError) as error:
        message = f"`ip -j route` printed what can't be understood: {_first_line(error)}"
        raise FactsError(message) from error


_routes: dict[str, Route] = {}


def _remembered_route(item: object, family: Family) -> Route:
    key = f"{family} {item}"
    route = _routes.get(key)
    if route is None:
        route = _route(item, family)
        if len(_routes) < _REMEMBERED:
            _routes[key] = route
    return route


def _route(parsed: object, family: Family) -> Route:
    item = _IpRoute.model_validate(parsed)
    destination = _destination(item.dst, family)
    if destination.version != family or (item.gateway is not None and item.gateway.version != family):
        message = f"a route to {destination} among those of IPv{family}"
        raise ValueError(message)
    return Route(
        destination=destination,
        via=item.next_hop,
        dev=item.dev,
        protocol=item.protocol,
        metric=item.metric,
        kind=MULTIPATH if item.nexthops else _KINDS.get(item.type, item.type),
        tos=item.tos,
        linkdown="linkdown" in item.flags,
        source=item.prefsrc,
        onlink="onlink" in item.flags,
        next_hops=tuple(NextHop(hop.next_hop, hop.dev, hop.weight, "onlink" in hop.flags) for hop in item.nexthops),
        scope=item.scope if family == 4 else 0,
    )


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the kernel would do with a packet (`ip route get`).

    Attributes:
        address: Where the packet goes.
        via: Next hop; None where the address is on the link or the host's own.
        dev: Device.
    """

    address: IPAddress
    via: IPAddress | None
    dev: str | None


def parse_lookups(text: str) -> tuple[Lookup, ...]:
    """Parse what `ip -j -force -batch -` prints for several `route get`.

    Args:
        text: One JSON list after another; nothing at all for an address that no route leads to.

    Returns:
        A lookup for each address that a route leads to.

    Raises:
        FactsError: It is not that.
    """
    lookups: list[Lookup] = []
    try:
        for items in _values(text):
            if not isinstance(items, list):
                raise TypeError("it is no list")
            lookups += [_lookup_of(item) for item in items]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        message = f"`ip -j route get` printed what can't be understood: {_first_line(error)}"
        raise FactsError(message) from error
    return tuple(lookups)


def _values(text: str) -> list[object]:
    """The JSON values that stand one after another."""
    try:
        # `ip` prints each on a line of its own.
        values: list[object] = json.loads(f"[{','.join(text.strip().splitlines())}]")
        return values
    except ValueError:
        pass
    decoder = json.JSONDecoder()
    found: list[object] = []
    at = _end_of_blanks(text, 0)
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        found.append(value)
        at = _end_of_blanks(text, end)
    return found


def _end_of_blanks(text: str, start: int) -> int:
    match = _BLANKS.match(text, start)
    return start if match is None else match.end()


def _lookup_of(item: Mapping[str, object]) -> Lookup:
    # The rest differs from machine to machine: its own address, a number of seconds.
    via = item.get("via")
    other = None if via is None else json.dumps(via)
    return _lookup(item.get("dst"), item.get("gateway"), other, item.get("dev"))


@lru_cache(_REMEMBERED)
def _lookup(dst: object, gateway: object, via: str | None, dev: object) -> Lookup:
    next_hop = None if gateway is None else parse_address(gateway)
    if via is not None:
        next_hop = _IpVia.model_validate_json(via).host
    return Lookup(parse_address(dst), next_hop, None if dev is None else parse_interface_name(dev))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
