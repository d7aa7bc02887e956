"""The kernel's routes: the model, and the parsers of what `ip -j` prints."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

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


class NextHop(Struct, frozen=True):
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


class Route(Struct, frozen=True, cache_hash=True):
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
        """The route as `ip route add` takes it; every part comes from a typed value."""
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
    def del_selector(self) -> str:
        """The route as `ip route del` takes it, so that it can mean no other."""
        if self.destination.version == 6 and self.via is None and not self.next_hops:
            # Told of no next hop, the kernel would take an IPv6 route that has one (route.c, ip6_route_del).
            return f"{self.selector} via ::"
        return self.selector

    @property
    def _is_on_link(self) -> bool:
        return self.destination.version == 4 and self.kind == "unicast" and self.via is None

    def __str__(self) -> str:
        """As a person reads it."""
        return self.selector


def _destination(text: str, family: Family) -> IPNetwork:
    if text == "default":
        text = "0.0.0.0/0" if family == 4 else "::/0"
    if "/" not in text:
        text += "/32" if family == 4 else "/128"
    return parse_network(text)


def _protocol(value: str | int) -> int:
    text = str(value)
    if _NUMBER.fullmatch(text) is not None and int(text) <= 255:
        return int(text)
    if _PROTOCOL_NAME.fullmatch(text) is None:
        message = f"{text!r} is no routing protocol"
        raise ValueError(message)
    return _PROTOCOLS.get(text, 0)


def _scope(value: str | int) -> int:
    text = str(value)
    if _NUMBER.fullmatch(text) is not None and int(text) <= 255:
        return int(text)
    if text not in _SCOPES:
        message = f"{text!r} is no scope"
        raise ValueError(message)
    return _SCOPES[text]


class _IpVia(Struct):
    """A next hop of the other family."""

    host: str


class _IpLookup(Struct):
    """One element of `ip -j route get`."""

    dst: str
    gateway: str | None = None
    via: _IpVia | None = None
    dev: str | None = None


class _IpHop(Struct):
    """Where packets go: part of a route, or one of several."""

    gateway: str | None = None
    via: _IpVia | None = None
    dev: str | None = None
    weight: Annotated[int, Meta(ge=1, le=256)] = 1
    flags: list[str] = []

    @property
    def next_hop(self) -> IPAddress | None:
        """The address, whatever its family."""
        text = self.gateway if self.via is None else self.via.host
        return None if text is None else parse_address(text)

    @property
    def device(self) -> str | None:
        """The device, typed."""
        return None if self.dev is None else parse_interface_name(self.dev)


class _IpRoute(_IpHop, kw_only=True):
    """One element of `ip -j -N route show`."""

    dst: str
    type: Annotated[str, Meta(pattern=r"^[a-z0-9]+\Z")] = "unicast"
    protocol: str | int = BOOT
    metric: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    tos: Annotated[str, Meta(pattern=r"^(0x[0-9a-f]{1,2}|[a-z0-9]*)\Z")] = ""
    scope: str | int = 0
    prefsrc: str | None = None
    nexthops: list[_IpHop] = []


_ROUTES: Final = Decoder(list[Raw])
_ROUTE: Final = Decoder(_IpRoute)
_LOOKUPS: Final = Decoder(list[_IpLookup])
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
        return tuple(_route(bytes(item), family) for item in _ROUTES.decode(text if text.strip() else "[]"))
    except (ValueError, RecursionError) as error:
        message = f"`ip -j route` printed what can't be understood: {_first_line(error)}"
        raise FactsError(message) from error


@lru_cache(_REMEMBERED)
def _route(text: bytes, family: Family) -> Route:
    item = _ROUTE.decode(text)
    destination, via = _destination(item.dst, family), item.next_hop
    if destination.version != family or (item.via is None and via is not None and via.version != family):
        message = f"a route to {destination} among those of IPv{family}"
        raise ValueError(message)
    scope = _scope(item.scope)
    return Route(
        destination=destination,
        via=via,
        dev=item.device,
        protocol=_protocol(item.protocol),
        metric=item.metric,
        kind=MULTIPATH if item.nexthops else _KINDS.get(item.type, item.type),
        tos=item.tos,
        linkdown="linkdown" in item.flags,
        source=None if item.prefsrc is None else parse_address(item.prefsrc),
        onlink="onlink" in item.flags,
        next_hops=tuple(NextHop(hop.next_hop, hop.device, hop.weight, "onlink" in hop.flags) for hop in item.nexthops),
        scope=scope if family == 4 else 0,
    )


class Lookup(Struct, frozen=True):
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
        text: JSON, a list on each line; nothing at all for an address that no route leads to.

    Returns:
        A lookup for each address that a route leads to.

    Raises:
        FactsError: It is not that.
    """
    try:
        # json_writer.c ends each list with the line.
        found = _LOOKUPS.decode_lines(text)
        return tuple(
            [
                _lookup(item.dst, item.gateway if item.via is None else item.via.host, item.dev)
                for items in found
                for item in items
            ]
        )
    except (ValueError, RecursionError) as error:
        message = f"`ip -j route get` printed what can't be understood: {_first_line(error)}"
        raise FactsError(message) from error


# The rest of what is printed differs from machine to machine: its own address, a number of seconds.
@lru_cache(_REMEMBERED)
def _lookup(dst: str, via: str | None, dev: str | None) -> Lookup:
    next_hop = None if via is None else parse_address(via)
    return Lookup(parse_address(dst), next_hop, None if dev is None else parse_interface_name(dev))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
