"""The kernel's routes: the model, and the parsers of what `ip` prints.

Routes are read as the text of `ip route show`, which `ip` takes again: its JSON leaves out what a route needs to be put
back whole (`lock` of an mtu, an encapsulation).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder

from podroutes.addresses import (
    Family,
    IPAddress,
    IPNetwork,
    parse_address,
    parse_interface_name,
    parse_network,
)
from podroutes.errors import FactsError

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
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_TOS: Final = re.compile(r"0x[0-9a-f]{1,2}|[a-zA-Z0-9]{1,20}")
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
# The metric of our routes: what the kernel gives one without (RTA_PRIORITY 0; IP6_RT_PRIO_USER for IPv6).
DEFAULT_METRIC: Final[Mapping[Family, int]] = {4: 0, 6: 1024}
# What `ip route show` says of a route's state; `ip` does not take it, and it makes no other route.
STATE_WORDS: Final = ("dead", "linkdown", "offload", "offload_failed", "rt_offload", "rt_trap", "trap")
# Attributes with one value, with `lock` before it or not, that `ip` takes as it shows them (iproute.c, print_route).
ATTRIBUTES: Final = (
    "realms", "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd",
    "features", "rto_min", "initrwnd", "quickack", "congctl", "fastopen_no_cookie", "pref",
)  # fmt: skip
# Encapsulations that `ip` takes as it shows them; of seg6, say, it shows another order.
ENCAPSULATIONS: Final = ("ip", "ip6", "mpls")
# `ip -batch` and the shell take each of these as it is.
_SAFE: Final = re.compile(r"[A-Za-z0-9_.:/@+,=%\[\]-]+")


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
        sources: The source addresses it is limited to (IPv6's `from`); None for all.
        linkdown: Whether its device has no carrier.
        source: The preferred source address (`src`), if it has one.
        onlink: Whether the next hop is taken to be on the link, whatever the addresses there are.
        next_hops: Of a multipath route.
        scope: rtm_scope; 0 for a route with a next hop, 253 for one on the link. IPv6 has none.
        nhid: Number of the next hop object that it uses (`ip nexthop`), which is where its next hops come from.
        options: Further attributes, each as `ip` takes it: `mtu lock 1400`.
        expires: Whether the kernel removes it after a time.
        unknown: What was printed of it that is not understood. Such a route can't be put back, so it is not touched.
    """

    destination: IPNetwork
    via: IPAddress | None
    dev: str | None
    protocol: int
    metric: int
    kind: str = "unicast"
    tos: str = ""
    sources: IPNetwork | None = None
    linkdown: bool = False
    source: IPAddress | None = None
    onlink: bool = False
    next_hops: tuple[NextHop, ...] = ()
    scope: int = 0
    nhid: int | None = None
    options: tuple[str, ...] = ()
    expires: bool = False
    unknown: tuple[str, ...] = ()

    def leads(self, via: IPAddress, dev: str) -> bool:
        """Whether it sends packets to this next hop on this device, whoever made it and with whatever metric."""
        return self.kind == "unicast" and self.via == via and self.dev == dev

    @property
    def is_for_some_packets(self) -> bool:
        """Whether it is for one type of service, or for some source addresses only."""
        return self.tos != "" or self.sources is not None

    @property
    def has_next_hop(self) -> bool:
        """Whether it leads through another machine."""
        return self.via is not None or self.next_hops != ()

    @property
    def attributes(self) -> tuple[str, ...]:
        """What it has that none of our routes has, each as `ip` shows it."""
        found = [f"tos {self.tos}"] if self.tos else []
        found += [] if self.sources is None else [f"from {self.sources}"]
        found += [] if self.nhid is None else [f"nhid {self.nhid}"]
        found += [] if self.source is None else [f"src {self.source}"]
        found += [] if self.scope == 0 else [f"scope {_SCOPE_NAMES.get(self.scope, str(self.scope))}"]
        found += ["onlink"] if self.onlink else []
        return (*found, *self.options, *(["expires"] if self.expires else []), *self.unknown)

    @property
    def selector(self) -> str:
        """The route as `ip route add` takes it; every part comes from a typed value."""
        # A next hop object says all of these, and `ip` takes only one of the two.
        return self._text(with_way=self.nhid is None)

    @property
    def del_selector(self) -> str:
        """The route as `ip route del` takes it, so that it can mean no other."""
        if self.destination.version == 6 and not self.has_next_hop and self.nhid is None:
            # Without a next hop, the kernel would take an IPv6 route that has one (route.c, ip6_route_del).
            return f"{self.selector} via ::"
        return self.selector

    def _text(self, *, with_way: bool) -> str:
        parts = [self.kind] if with_way and self.kind not in ("unicast", MULTIPATH) else []
        parts.append(str(self.destination))
        if self.tos:
            parts += ["tos", self.tos]
        if self.sources is not None:
            parts += ["from", str(self.sources)]
        if self.nhid is not None:
            parts += ["nhid", str(self.nhid)]
        if with_way and self.via is not None:
            other_family = self.via.version != self.destination.version
            parts += ["via", f"inet{'6' if self.via.version == 6 else ''}"] if other_family else ["via"]
            parts.append(str(self.via))
        if with_way and self.dev is not None:
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
        if self.onlink and with_way:
            parts.append("onlink")
        parts += self.options
        return " ".join([*parts, *(hop.selector for hop in self.next_hops)] if with_way else parts)

    @property
    def _is_on_link(self) -> bool:
        return self.destination.version == 4 and self.kind == "unicast" and self.via is None

    def __str__(self) -> str:
        """As a person reads it."""
        text = self._text(with_way=True)
        return " ".join([text, *(["expires"] if self.expires else []), *self.unknown])


def _destination(text: str, family: Family) -> IPNetwork:
    if text == "default":
        text = "0.0.0.0/0" if family == 4 else "::/0"
    if "/" not in text:
        text += "/32" if family == 4 else "/128"
    return parse_network(text)


def _protocol(text: str) -> int:
    if _NUMBER.fullmatch(text) is not None and int(text) <= 255:
        return int(text)
    if _PROTOCOL_NAME.fullmatch(text) is None:
        message = f"{text!r} is no routing protocol"
        raise ValueError(message)
    return _PROTOCOLS.get(text, 0)


def _scope(text: str) -> int:
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


_LOOKUPS: Final = Decoder(list[_IpLookup])
# Of large clusters, every machine has nearly the same routes: each is parsed once and shared.
_REMEMBERED: Final = 1 << 14


def parse_routes(text: str, family: Family) -> tuple[Route, ...]:
    """Parse what `ip -N -o -4|-6 route show table main` prints.

    Args:
        text: A line for each route.
        family: Which of -4 and -6 it was.

    Returns:
        The routes in the kernel's order.

    Raises:
        FactsError: It is not that.
    """
    return tuple([_route(line.strip(), family) for line in text.split("\n") if line.strip() != ""])


@lru_cache(_REMEMBERED)
def _route(line: str, family: Family) -> Route:
    try:
        return _read_route(_Words(line.replace("\\", " ").split()), family)
    except ValueError as error:
        message = f"`ip route` printed what can't be understood: {line[:200]!r}: {_first_line(error)}"
        raise FactsError(message) from error


class _Words:
    """The words of a line, taken one after the other."""

    def __init__(self, words: list[str]) -> None:
        for word in words:
            if _SAFE.fullmatch(word) is None:
                message = f"{word[:50]!r} is no word of a route"
                raise ValueError(message)
        self._words = words
        self._taken = 0

    @property
    def next(self) -> str:
        """The one that comes next; empty at the end."""
        return self._words[self._taken] if self._taken < len(self._words) else ""

    def take(self) -> str:
        """The next one, which there has to be."""
        word = self.next
        if not word:
            message = "it ends too early"
            raise ValueError(message)
        self._taken += 1
        return word


def _read_route(words: _Words, family: Family) -> Route:
    kind = words.take() if words.next in _KINDS or words.next in _KINDS.values() else "unicast"
    fields: dict[str, Any] = {"via": None, "dev": None, "protocol": BOOT, "metric": 0, "kind": _KINDS.get(kind, kind)}
    fields["destination"] = destination = _destination(words.take(), family)
    options: list[str] = []
    unknown: list[str] = []
    hops: list[NextHop] = []
    while word := words.next:
        words.take()
        if word == "nexthop":
            hop, odd = _read_hop(words, family)
            hops.append(hop)
            unknown += odd
        elif word in _FIELDS:
            name, read = _FIELDS[word]
            fields[name] = read(words, family)
        elif word in ATTRIBUTES:
            options += _read_attribute(word, words)
        elif word == "encap":
            text, known = _read_encapsulation(words)
            (options if known else unknown).append(text)
        elif word == "error":
            words.take()  # why its packets are refused, which its type says too
        elif word == "linkdown":
            fields["linkdown"] = True
        elif word not in STATE_WORDS:
            unknown.append(word)
    if hops:
        fields["kind"] = MULTIPATH
    if family == 6:
        fields.pop("scope", None)
    if any(net.version != family for net in (destination, fields.get("sources")) if net is not None):
        message = f"a route of another family among those of IPv{family}"
        raise ValueError(message)
    return Route(**fields, next_hops=tuple(hops), options=tuple(options), unknown=tuple(unknown))


def _read_hop(words: _Words, family: Family) -> tuple[NextHop, list[str]]:
    fields: dict[str, Any] = {"via": None, "dev": None}
    unknown: list[str] = []
    while words.next not in ("", "nexthop"):
        word = words.take()
        if word == "via":
            fields["via"] = _read_next_hop(words, family)
        elif word == "dev":
            fields["dev"] = parse_interface_name(words.take())
        elif word == "weight":
            fields["weight"] = _number(words.take(), 256)
        elif word == "onlink":
            fields["onlink"] = True
        elif word not in STATE_WORDS:
            unknown.append(word)
    return NextHop(**fields), unknown


def _read_attribute(word: str, words: _Words) -> list[str]:
    lock = words.take() if words.next == "lock" else ""
    value = words.take()
    if (word, value) == ("pref", "medium"):
        return []
    # It is always locked; `ip` says so and does not take it.
    return [" ".join([word, *([lock] if lock and word != "rto_min" else []), value])]


def _read_encapsulation(words: _Words) -> tuple[str, bool]:
    found = ["encap"]
    while words.next not in ("", "via", "dev"):
        found.append(words.take())
    return " ".join(found), len(found) > 1 and found[1] in ENCAPSULATIONS


def _read_next_hop(words: _Words, family: Family) -> IPAddress:
    if words.next in ("inet", "inet6"):
        family = 6 if words.take() == "inet6" else 4
    address = parse_address(words.take())
    if address.version != family:
        message = f"{address} is no IPv{family} address"
        raise ValueError(message)
    return address


def _read_tos(words: _Words) -> str:
    text = words.take()
    if _TOS.fullmatch(text) is None:
        message = f"{text!r} is no type of service"
        raise ValueError(message)
    return text


def _number(text: str, most: int) -> int:
    if _NUMBER.fullmatch(text) is None or int(text) > most:
        message = f"{text!r} is no number up to {most}"
        raise ValueError(message)
    return int(text)


# Each word with the field that it fills and what reads its value.
_FIELDS: Final[Mapping[str, tuple[str, Callable[[_Words, Family], object]]]] = {
    "via": ("via", _read_next_hop),
    "dev": ("dev", lambda words, _: parse_interface_name(words.take())),
    "proto": ("protocol", lambda words, _: _protocol(words.take())),
    "metric": ("metric", lambda words, _: _number(words.take(), 2**32 - 1)),
    "scope": ("scope", lambda words, _: _scope(words.take())),
    "src": ("source", lambda words, _: parse_address(words.take())),
    "tos": ("tos", lambda words, _: _read_tos(words)),
    "from": ("sources", lambda words, family: _destination(words.take(), family)),
    "nhid": ("nhid", lambda words, _: _number(words.take(), 2**32 - 1)),
    "expires": ("expires", lambda words, _: _number(words.take().removesuffix("sec"), 2**32 - 1) >= 0),
    "onlink": ("onlink", lambda _words, _family: True),
}


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
