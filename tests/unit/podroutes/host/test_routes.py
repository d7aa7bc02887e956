"""The model of a route, and the parsers of what `ip` prints."""

import json
import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.addresses import FAMILIES, Family, IPAddress, parse_address, parse_network
from podroutes.errors import FactsError
from podroutes.host.parse_routes import parse_lookups, parse_routes
from podroutes.host.routes import MULTIPATH, NextHop, Route
from tests.unit.podroutes.rendering import render_route

UNSAFE = re.compile(r"[^A-Za-z0-9_.:/@+,=%\[\] -]")


@pytest.mark.parametrize(
    ("line", "family", "selector"),
    [
        # numeric, as `ip -N` prints it
        ("10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 ", 4, "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201"),
        (
            "10.240.0.0/24 dev eth0 proto 2 scope 253 src 10.240.0.20 ",
            4,
            "10.240.0.0/24 dev eth0 proto kernel scope link src 10.240.0.20",
        ),
        # named, as versions print it that know no -N
        (
            "10.240.0.0/24 dev eth0 proto kernel scope link src 10.240.0.20 ",
            4,
            "10.240.0.0/24 dev eth0 proto kernel scope link src 10.240.0.20",
        ),
        (
            "default via 10.240.0.1 dev eth0 proto dhcp metric 100 ",
            4,
            "0.0.0.0/0 via 10.240.0.1 dev eth0 proto dhcp metric 100",
        ),
        (
            "default via fe80::1 dev eth0 proto 9 metric 1024 expires 1799sec hoplimit 64 pref medium",
            6,
            "::/0 via fe80::1 dev eth0 proto ra metric 1024 hoplimit 64",
        ),
        (
            "fd00:200::/64 via fd00:240::20 dev eth0 proto 201 metric 1024 pref medium",
            6,
            "fd00:200::/64 via fd00:240::20 dev eth0 proto 201 metric 1024",
        ),
        (
            "fd00:200::/64 dev eth0 proto kernel metric 256 pref medium",
            6,
            "fd00:200::/64 dev eth0 proto kernel metric 256",
        ),
        # no protocol at all is boot, and a host's route has no mask
        ("10.200.1.7 via 10.240.0.21 dev eth0 ", 4, "10.200.1.7/32 via 10.240.0.21 dev eth0 proto boot"),
        (
            "fd00:200::7 via fd00:240::20 dev eth0 metric 1024 pref medium",
            6,
            "fd00:200::7/128 via fd00:240::20 dev eth0 proto boot metric 1024",
        ),
        ("10.200.1.0/24 dev eth0 proto bird ", 4, "10.200.1.0/24 dev eth0 proto 12 scope global"),
        ("6 10.200.1.0/24 proto 186 ", 4, "blackhole 10.200.1.0/24 proto 186"),
        ("unreachable 10.200.1.0/24 metric 7 ", 4, "unreachable 10.200.1.0/24 proto boot metric 7"),
        ("8 10.200.1.0/24 ", 4, "prohibit 10.200.1.0/24 proto boot"),
        (
            "9 fd00:200::/64 dev lo metric 1024 error -11 pref medium",
            6,
            "throw fd00:200::/64 dev lo proto boot metric 1024",
        ),
        (
            "10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 ",
            4,
            "10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 proto boot",
        ),
        (
            "fd00:200::/64 from fd00:1::/64 via fd00:240::21 dev eth0 metric 1024 pref high",
            6,
            "fd00:200::/64 from fd00:1::/64 via fd00:240::21 dev eth0 proto boot metric 1024 pref high",
        ),
        (
            "10.200.1.0/24 via 10.241.0.1 dev eth0 onlink linkdown rt_offload ",
            4,
            "10.200.1.0/24 via 10.241.0.1 dev eth0 proto boot onlink",
        ),
        # several next hops
        (
            (
                "10.200.1.0/24 proto 4 \\\tnexthop via 10.240.0.21 dev eth0 weight 2 "
                "\\\tnexthop via 10.240.0.22 dev eth0 weight 1 onlink "
            ),
            4,
            (
                "10.200.1.0/24 proto static nexthop via inet 10.240.0.21 dev eth0 weight 2 "
                "nexthop via inet 10.240.0.22 dev eth0 weight 1 onlink"
            ),
        ),
        # a next hop of the other family
        (
            "10.200.2.0/24 via inet6 fe80::1 dev eth0 proto 4 ",
            4,
            "10.200.2.0/24 via inet6 fe80::1 dev eth0 proto static",
        ),
        # a next hop object says the way, and `ip` takes one of the two only
        (
            "10.200.1.0/24 nhid 12 via 10.240.0.21 dev eth0 proto 11 metric 20 mtu lock 1300 ",
            4,
            "10.200.1.0/24 nhid 12 proto 11 metric 20 mtu lock 1300",
        ),
        (
            (
                "10.200.1.0/24 nhid 20 proto 11 \\\tnexthop via 10.240.0.21 dev eth0 weight 1 "
                "\\\tnexthop via 10.240.0.22 dev eth0 weight 1 "
            ),
            4,
            "10.200.1.0/24 nhid 20 proto 11",
        ),
        ("6 10.200.1.0/24 nhid 30 dev lo proto 11 ", 4, "10.200.1.0/24 nhid 30 proto 11"),
        # all that a route can have; of rto_min, `lock` is shown and not taken
        (
            (
                "10.200.1.0/24 via 10.240.0.21 dev eth0 realms 5/7 mtu lock 1400 window 1000 rtt 100ms cwnd lock 20 "
                "features ecn rto_min lock 200ms quickack 1 congctl reno "
            ),
            4,
            (
                "10.200.1.0/24 via 10.240.0.21 dev eth0 proto boot realms 5/7 mtu lock 1400 window 1000 rtt 100ms "
                "cwnd lock 20 features ecn rto_min 200ms quickack 1 congctl reno"
            ),
        ),
        (
            "10.200.1.0/24  encap ip id 5 src 0.0.0.0 dst 10.9.9.9 ttl 4 tos 0 dev eth0 scope 253 ",
            4,
            "10.200.1.0/24 dev eth0 proto boot scope link encap ip id 5 src 0.0.0.0 dst 10.9.9.9 ttl 4 tos 0",
        ),
    ],
)
def test_the_shapes_of_a_route(line: str, family: Family, selector: str) -> None:
    (route,) = parse_routes(f"{line}\n", family)
    assert route.selector == selector
    assert route.unknown == ()


@pytest.mark.parametrize(
    ("line", "family", "unknown"),
    [
        ("10.200.1.0/24 via 10.240.0.21 dev eth0 frobnicate 7 ", 4, "frobnicate 7"),
        (
            "fd00:200::/64  encap seg6 mode encap segs 2 [ fd00::9 fd00::8 ] dev eth0 metric 1024 pref medium",
            6,
            "encap seg6 mode encap segs 2 [ fd00::9 fd00::8 ]",
        ),
        (
            (
                "10.200.1.0/24 \\\tnexthop encap mpls 100 via 10.240.0.21 dev eth0 weight 1 "
                "\\\tnexthop via 10.240.0.22 dev eth0 weight 1 "
            ),
            4,
            "encap mpls 100",
        ),
    ],
)
def test_what_is_not_understood_is_kept_for_people_and_never_given_to_ip(
    line: str, family: Family, unknown: str
) -> None:
    (route,) = parse_routes(line, family)
    assert " ".join(route.unknown) == unknown
    assert str(route).endswith(unknown)
    assert unknown not in route.selector


def test_a_route_that_expires_is_the_same_a_second_later() -> None:
    first, later = (
        parse_routes(f"fd00:200::/64 via fd00:240::20 dev eth0 metric 1024 expires {n}sec pref medium", 6)
        for n in (9, 8)
    )
    assert first == later
    assert str(first[0]).endswith(" expires")
    assert "expires" not in first[0].selector


@pytest.mark.parametrize(
    ("line", "family", "added"),
    [
        ("fd00:200::/64 dev eth0 metric 1024 pref medium", 6, " via ::"),
        ("6 fd00:200::/64 dev lo metric 1024 pref medium", 6, " via ::"),
        ("6 fd00:200::/64 nhid 31 dev lo metric 1024 pref medium", 6, ""),
        ("fd00:200::/64 via fd00:240::20 dev eth0 metric 1024 pref medium", 6, ""),
        ("fd00:200::/64 metric 1024 pref medium\\\tnexthop via fe80::1 dev eth0 weight 1 ", 6, ""),
        ("10.200.1.0/24 dev eth0 ", 4, ""),
    ],
)
def test_an_ipv6_route_on_the_link_is_deleted_as_one_without_a_next_hop(line: str, family: Family, added: str) -> None:
    (route,) = parse_routes(line, family)
    assert route.del_selector == route.selector + added


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_an_empty_table(text: str) -> None:
    assert parse_routes(text, 4) == ()


def test_a_route_that_dhcp_made() -> None:
    (route,) = parse_routes("10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16 metric 100 ", 4)
    assert route == Route(parse_network("10.200.1.0/24"), parse_address("10.240.0.21"), "eth0", 16, 100)


@pytest.mark.parametrize(
    "text",
    [
        "[]", "RTNETLINK answers: No such device", "sh: 1: ip: not found", "exit status 1", "10.200.0.1/24",
        "10.200.0.0/024", "10.200.00.0/24", "10.200.0.0/24 via", "10.200.0.0/24 via nowhere", "10.200.0.0/24 via 1",
        "10.200.0.0/24 via fe80::1%;x dev eth0", "10.200.0.0/24 dev $(reboot)", "10.200.0.0/24 dev eth0;reboot",
        "10.200.0.0/24 mtu", "10.200.0.0/24 mtu lock", "a 10.200.0.0/24", "6", "10.200.0.0/24 tos ;reboot",
        "10.200.0.0/24 tos -force", "10.200.0.0/24 metric -1", "10.200.0.0/24 metric 4294967296",
        "10.200.0.0/24 proto 256", "10.200.0.0/24 proto -1", "10.200.0.0/24 scope link2", "10.200.0.0/24 scope 256",
        "10.200.0.0/24 src x", "10.200.0.0/24 nexthop dev eth0;", "10.200.0.0/24 nexthop weight 257", "fd00::/64",
        "10.200.0.0/24 proto " + "9" * 5000, "10.200.0.0/24 via fd00::1", "10.200.0.0/24 via inet6 10.240.0.1",
        "10.200.0.0/24 from fd00::/64 dev eth0", "10.200.0.0/24 nhid x", "10.200.0.0/24 expires soon",
        "10.200.0.0/24 dev eth0 # a comment", "10.200.0.0/24 \"dev\" eth0", "10.200.0.0/24 dev \ud800",
    ],
)  # fmt: skip
def test_what_is_no_table_of_routes(text: str) -> None:
    with pytest.raises(FactsError, match=r"^`ip route` printed what can't be understood: [^\n]+$"):
        parse_routes(text, 4)


@pytest.mark.parametrize(
    ("text", "lookups"),
    [
        ("", []),
        ("[ ]\n", []),
        (
            (
                '[{"dst":"10.200.1.1","gateway":"10.240.0.21","dev":"eth0","prefsrc":"10.240.0.20","flags":[],"uid":0,'
                '"cache":[]}]\n[{"type":"local","dst":"10.240.0.20","dev":"lo","flags":[],"cache":["local"]}]\n'
                '[{"dst":"fd00:200::1","from":"::","gateway":"fd00:240::21","dev":"eth0","metric":1024}]\n'
            ),
            ["10.200.1.1 10.240.0.21 eth0", "10.240.0.20 None lo", "fd00:200::1 fd00:240::21 eth0"],
        ),
        ('[{"dst":"10.200.1.1","via":{"family":"inet6","host":"fe80::1"},"dev":"eth0"}]', ["10.200.1.1 fe80::1 eth0"]),
    ],
)
def test_lookups(text: str, lookups: list[str]) -> None:
    assert [f"{item.address} {item.via} {item.dev}" for item in parse_lookups(text)] == lookups


@pytest.mark.parametrize(
    "text",
    ["no", "{}", "[1]", "[{}]", '[{"dst":"10.200.1.0/24"}]', "[" * 100_000, "1", '[{"dst":"10.1.1.1","dev":";"}]'],
)
def test_what_is_no_answer_to_a_lookup(text: str) -> None:
    with pytest.raises(FactsError, match=r"^`ip -j route get` printed what can't be understood: [^\n]+$"):
        parse_lookups(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
odd_words = st.sampled_from(
    ["eth0", "10.200.1.0/24", "10.240.0.21", "fe80::1%;x", "$(x)", "a\nb", "201", "boot", "6", ""]
)
almost_routes = st.lists(
    st.lists(
        st.sampled_from(
            [
                "via",
                "inet6",
                "dev",
                "proto",
                "metric",
                "scope",
                "src",
                "tos",
                "from",
                "nhid",
                "onlink",
                "nexthop",
                "weight",
                "mtu",
                "lock",
                "1400",
                "expires",
                "9sec",
                "encap",
                "ip",
                "seg6",
                "[",
                "linkdown",
                "pref",
                "medium",
                "error",
            ]
        )
        | odd_words,
        max_size=8,
    ).map(lambda words: " ".join(["10.200.1.0/24", *words])),
    max_size=3,
).map("\n".join)


@given(st.text() | almost_routes, st.sampled_from([4, 6]))
def test_any_text_is_routes_or_a_facts_error(text: str, family: Family) -> None:
    with suppress(FactsError):
        assert [route.selector for route in parse_routes(text, family) if UNSAFE.search(route.selector)] == []


@given(st.text() | json_values.map(json.dumps) | st.lists(json_values.map(json.dumps)).map("\n".join))
def test_any_text_is_lookups_or_a_facts_error(text: str) -> None:
    with suppress(FactsError):
        parse_lookups(text)


devices = st.sampled_from(["eth0", "eth0.7", "br-lan", "veth1a2b3c4@if5", "_a:1", "wg+0"])


@st.composite
def routes_of(draw: st.DrawFn, family: Family) -> Route:
    bits = 32 if family == 4 else 128
    addresses: st.SearchStrategy[IPAddress] = st.integers(0, 2**bits - 1).map(
        IPv4Address if family == 4 else IPv6Address
    )
    length = draw(st.integers(0, bits))
    network = parse_network(f"{draw(addresses)}/{bits}").supernet(new_prefix=length)
    kind = draw(st.sampled_from(["unicast", MULTIPATH, "blackhole", "unreachable", "prohibit", "throw"]))
    hops: tuple[NextHop, ...] = ()
    if kind == MULTIPATH:
        hop = st.builds(NextHop, addresses, devices, st.integers(1, 256), st.booleans())
        hops = tuple(draw(st.lists(hop, min_size=2, max_size=4)))
    single = kind == "unicast"
    attributes = [
        "realms 5/7",
        "mtu lock 1400",
        "mtu 1300",
        "advmss 500",
        "features ecn",
        "rto_min 200ms",
        "congctl reno",
    ]
    options = draw(st.lists(st.sampled_from(attributes), max_size=3, unique=True))
    return Route(
        network,
        draw(st.none() | addresses) if single else None,
        draw(devices) if single else None,
        draw(st.integers(0, 255)),
        draw(st.integers(0, 2**32 - 1)),
        kind=kind,
        tos=draw(st.sampled_from(["", "0x10", "0x08"])) if family == 4 else "",
        linkdown=draw(st.booleans()),
        source=draw(st.none() | addresses),
        onlink=draw(st.booleans()) if single else False,
        next_hops=hops,
        scope=draw(st.sampled_from([0, 200, 253, 254])) if family == 4 and single else 0,
        sources=draw(st.none() | st.just(parse_network("fd00:1::/64"))) if family == 6 else None,
        nhid=draw(st.none() | st.integers(1, 2**32 - 1)),
        options=tuple(options),
        expires=draw(st.booleans()) if family == 6 else False,
    )


@given(st.sampled_from(FAMILIES).flatmap(lambda family: st.lists(routes_of(family), max_size=3)), st.booleans())
def test_what_ip_prints_is_read_back_whole(routes: list[Route], numeric: bool) -> None:
    family: Family = 6 if routes and routes[0].destination.version == 6 else 4
    text = "".join(f"{render_route(route, numeric=numeric)}\n" for route in routes)
    assert parse_routes(text, family) == tuple(routes)
