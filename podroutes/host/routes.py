"""The kernel's routes, and which of them are this software's."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from podroutes.addresses import Family, IPAddress, IPNetwork

# The protocol number of this software's routes: this number, inside the cluster's range, is what it owns.
PROTOCOL: Final = 201
# Their metric: what the kernel gives a route without one (RTA_PRIORITY 0; IP6_RT_PRIO_USER for IPv6).
DEFAULT_METRIC: Final[Mapping[Family, int]] = {4: 0, 6: 1024}

# Names from iproute2's rt_protos (and linux/rtnetlink.h), for hosts whose `ip` ignores -N here.
PROTOCOL_NUMBERS: Final[Mapping[str, int]] = {
    "unspec": 0, "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10, "zebra": 11,
    "bird": 12, "dnrouted": 13, "xorp": 14, "ntk": 15, "dhcp": 16, "keepalived": 18, "babel": 42, "bgp": 186,
    "isis": 187, "ospf": 188, "rip": 189, "eigrp": 192,
}  # fmt: skip
KERNEL: Final = 2
BOOT: Final = 3
RA: Final = 9
DHCP: Final = 16
# The protocols that people know by name; every `ip` takes a number for the others.
_PROTOCOL_NAMES: Final = {
    number: name for name, number in PROTOCOL_NUMBERS.items() if number in (0, 1, KERNEL, BOOT, 4, RA, DHCP)
}
# Names from iproute2's rt_scopes, which -N turns into numbers.
SCOPE_NUMBERS: Final[Mapping[str, int]] = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
LINK_SCOPE: Final = 253
_SCOPE_NAMES: Final = {number: name for name, number in SCOPE_NUMBERS.items()}
MULTIPATH: Final = "multipath"

# What `ip route show` says of a route's state; `ip` does not take it, and it makes no other route.
STATE_WORDS: Final = ("dead", "linkdown", "offload", "offload_failed", "rt_offload", "rt_trap", "trap")
# Attributes with one value, with `lock` before it or not, that `ip` takes as it shows them (iproute.c, print_route).
ATTRIBUTES: Final = (
    "realms", "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd",
    "features", "rto_min", "initrwnd", "quickack", "congctl", "fastopen_no_cookie", "pref",
)  # fmt: skip
# Encapsulations that `ip` takes as it shows them; of seg6, say, it shows another order.
ENCAPSULATIONS: Final = ("ip", "ip6", "mpls")


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _way(via: IPAddress | None, dev: str | None, version: int | None) -> list[str]:
    """Next hop and device as `ip` takes them; the next hop with its family unless that is the given version."""
    family = [] if via is None or via.version == version else ["inet6" if via.version == 6 else "inet"]
    return [*(["via", *family, str(via)] if via is not None else []), *_option("dev", dev)]


class NextHop(Struct, frozen=True):
    """One of a route's several next hops."""

    via: IPAddress | None
    dev: str | None
    weight: int = 1
    onlink: bool = False

    @property
    def selector(self) -> str:
        """As `ip route` takes it."""
        # Without its family, `ip` would look for one of the destination's.
        words = ["nexthop", *_way(self.via, self.dev, None), "weight", str(self.weight)]
        return " ".join([*words, "onlink"] if self.onlink else words)


class Route(Struct, frozen=True, cache_hash=True):
    """A route of the kernel's main table.

    Attributes:
        destination: Where it leads.
        via: Next hop, possibly of the other family; None where the destination is on the link, or there are several.
        dev: Device; None where the route has none or several.
        protocol: Number of who made it (rtm_protocol).
        metric: Priority; the lowest wins.
        kind: Type as iproute2 names it, `unicast` for an ordinary one; `multipath` for one with several next hops.
        tos: Type of service it is limited to, as iproute2 prints it; empty for all.
        sources: The source addresses it is limited to (IPv6's `from`); None for all.
        linkdown: Whether its device has no carrier.
        source: The preferred source address (`src`).
        onlink: Whether the next hop is taken to be on the link, whatever the addresses there are.
        next_hops: Of a multipath route.
        scope: rtm_scope; 0 for a route with a next hop, 253 for one on the link. IPv6 has none.
        nhid: Number of the next hop object that it uses (`ip nexthop`), which is where its next hops come from.
        options: Further attributes, each as `ip` takes it: `mtu lock 1400`.
        expires: Whether the kernel removes it after a time.
        unknown: What was printed of it that is not understood. Such a route can't be restored, so it is not touched.
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
        found += [] if self.scope == 0 else [f"scope {self._scope_name}"]
        found += ["onlink"] if self.onlink else []
        return (*found, *self.options, *(["expires"] if self.expires else []), *self.unknown)

    @property
    def selector(self) -> str:
        """The route as `ip route add` takes it; every part comes from a typed value."""
        # A next hop object stands for the whole way, and `ip` takes only one of the two.
        return self._text(with_way=self.nhid is None)

    @property
    def del_selector(self) -> str:
        """The route as `ip route del` takes it, so that it can mean no other."""
        if self.destination.version == 6 and not self.has_next_hop and self.nhid is None:
            # Without a next hop, the kernel would take an IPv6 route that has one (route.c, ip6_route_del).
            return f"{self.selector} via ::"
        return self.selector

    def _text(self, *, with_way: bool) -> str:
        words = [self.kind] if with_way and self.kind not in ("unicast", MULTIPATH) else []
        words.append(str(self.destination))
        words += _option("tos", self.tos or None)
        words += _option("from", self.sources)
        words += _option("nhid", self.nhid)
        if with_way:
            words += _way(self.via, self.dev, self.destination.version)
        words += ["proto", _PROTOCOL_NAMES.get(self.protocol, str(self.protocol))]
        # Without its scope, a route on the link would select one with a next hop too; without its metric, an IPv6 route
        # one of a lower metric.
        if self.scope != 0 or self._is_on_link:
            words += ["scope", self._scope_name]
        words += _option("metric", self.metric or None)
        words += _option("src", self.source)
        if with_way and self.onlink:
            words.append("onlink")
        words += self.options
        if with_way:
            words += [hop.selector for hop in self.next_hops]
        return " ".join(words)

    @property
    def _is_on_link(self) -> bool:
        return self.destination.version == 4 and self.kind == "unicast" and self.via is None

    @property
    def _scope_name(self) -> str:
        return _SCOPE_NAMES.get(self.scope, str(self.scope))

    def __str__(self) -> str:
        """As a person reads it."""
        text = self._text(with_way=True)
        return " ".join([text, *(["expires"] if self.expires else []), *self.unknown])


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
