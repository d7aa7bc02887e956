"""The model of a route, and the parsers of `ip -j`."""

import json
import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.errors import FactsError
from podroutes.routes import MULTIPATH, NextHop, Route, parse_lookups, parse_routes
from podroutes.values import FAMILIES, Family, IPAddress, parse_address, parse_network
from tests.unit.podroutes.rendering import render_route

UNSAFE = re.compile(r"[^A-Za-z0-9_.:/@+ -]")


@pytest.mark.parametrize(
    ("item", "family", "selector"),
    [
        # numeric, as `ip -N` prints it
        (
            {"dst": "10.200.1.0/24", "gateway": "10.240.0.21", "dev": "eth0", "protocol": "201", "flags": []},
            4,
            "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
        ),
        (
            {"dst": "10.240.0.0/24", "dev": "eth0", "protocol": "2", "scope": "253", "prefsrc": "10.240.0.20"},
            4,
            "10.240.0.0/24 dev eth0 proto kernel scope link src 10.240.0.20",
        ),
        # named, as versions print it that know no -N
        (
            {"dst": "10.240.0.0/24", "dev": "eth0", "protocol": "kernel", "scope": "link", "prefsrc": "10.240.0.20"},
            4,
            "10.240.0.0/24 dev eth0 proto kernel scope link src 10.240.0.20",
        ),
        (
            {"dst": "default", "gateway": "10.240.0.1", "dev": "eth0", "protocol": "dhcp", "metric": 100},
            4,
            "0.0.0.0/0 via 10.240.0.1 dev eth0 proto dhcp metric 100",
        ),
        ({"dst": "default", "gateway": "fe80::1", "dev": "eth0", "protocol": "9", "metric": 1024}, 6,
         "::/0 via fe80::1 dev eth0 proto ra metric 1024"),
        ({"dst": "fd00:200::/64", "gateway": "fd00:240::20", "dev": "eth0", "protocol": "201", "metric": 1024,
          "pref": "medium"}, 6, "fd00:200::/64 via fd00:240::20 dev eth0 proto 201 metric 1024"),
        ({"dst": "fd00:200::/64", "dev": "eth0", "protocol": "kernel", "metric": 256}, 6,
         "fd00:200::/64 dev eth0 proto kernel metric 256"),
        # no protocol at all is boot, and a host's route has no mask
        ({"dst": "10.200.1.7", "gateway": "10.240.0.21", "dev": "eth0"}, 4,
         "10.200.1.7/32 via 10.240.0.21 dev eth0 proto boot"),
        ({"dst": "fd00:200::7", "gateway": "fd00:240::20", "dev": "eth0", "metric": 1024}, 6,
         "fd00:200::7/128 via fd00:240::20 dev eth0 proto boot metric 1024"),
        ({"dst": "10.200.1.0/24", "dev": "eth0", "protocol": "bird"}, 4,
         "10.200.1.0/24 dev eth0 proto 12 scope global"),
        ({"type": "6", "dst": "10.200.1.0/24", "protocol": "186"}, 4, "blackhole 10.200.1.0/24 proto 186"),
        ({"type": "unreachable", "dst": "10.200.1.0/24", "metric": 7}, 4,
         "unreachable 10.200.1.0/24 proto boot metric 7"),
        ({"type": "8", "dst": "10.200.1.0/24"}, 4, "prohibit 10.200.1.0/24 proto boot"),
        ({"type": "9", "dst": "fd00:200::/64", "dev": "lo", "metric": 1024}, 6,
         "throw fd00:200::/64 dev lo proto boot metric 1024"),
        ({"dst": "10.200.1.0/24", "tos": "0x10", "gateway": "10.240.0.21", "dev": "eth0"}, 4,
         "10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 proto boot"),
        ({"dst": "10.200.1.0/24", "gateway": "10.241.0.1", "dev": "eth0", "flags": ["onlink", "linkdown"]}, 4,
         "10.200.1.0/24 via 10.241.0.1 dev eth0 proto boot onlink"),
        # several next hops
        ({"dst": "10.200.1.0/24", "protocol": "4", "nexthops": [
            {"gateway": "10.240.0.21", "dev": "eth0", "weight": 2, "flags": []},
            {"gateway": "10.240.0.22", "dev": "eth0", "weight": 1, "flags": ["onlink"]}]}, 4,
         ("10.200.1.0/24 proto static nexthop via inet 10.240.0.21 dev eth0 weight 2 "
         "nexthop via inet 10.240.0.22 dev eth0 weight 1 onlink")),
        # a next hop of the other family
        ({"dst": "10.200.2.0/24", "via": {"family": "inet6", "host": "fe80::1"}, "dev": "eth0", "protocol": "4"}, 4,
         "10.200.2.0/24 via inet6 fe80::1 dev eth0 proto static"),
    ],
)  # fmt: skip
def test_the_shapes_of_a_route(item: dict[str, Any], family: Family, selector: str) -> None:
    (route,) = parse_routes(json.dumps([item]), family)
    assert route.selector == selector


@pytest.mark.parametrize(
    ("item", "family", "added"),
    [
        ({"dst": "fd00:200::/64", "dev": "eth0", "metric": 1024}, 6, " via ::"),
        ({"type": "6", "dst": "fd00:200::/64", "dev": "lo", "metric": 1024}, 6, " via ::"),
        ({"dst": "fd00:200::/64", "gateway": "fd00:240::20", "dev": "eth0", "metric": 1024}, 6, ""),
        ({"dst": "fd00:200::/64", "nexthops": [{"gateway": "fe80::1", "dev": "eth0", "weight": 1}]}, 6, ""),
        ({"dst": "10.200.1.0/24", "dev": "eth0"}, 4, ""),
    ],
)
def test_an_ipv6_route_on_the_link_is_deleted_as_one_without_a_next_hop(
    item: dict[str, Any], family: Family, added: str
) -> None:
    (route,) = parse_routes(json.dumps([item]), family)
    assert route.del_selector == route.selector + added


@pytest.mark.parametrize("text", ["", "\n", "[]", "[ ]\n"])
def test_an_empty_table(text: str) -> None:
    assert parse_routes(text, 4) == ()


def test_a_route_leads_where_its_next_hop_and_device_are() -> None:
    text = '[{"dst": "10.200.1.0/24", "gateway": "10.240.0.21", "dev": "eth0", "protocol": "16", "metric": 100}]'
    (route,) = parse_routes(text, 4)
    assert route == Route(parse_network("10.200.1.0/24"), parse_address("10.240.0.21"), "eth0", 16, 100)
    assert route.leads(parse_address("10.240.0.21"), "eth0")
    assert not route.leads(parse_address("10.240.0.21"), "eth1")
    assert not route.leads(parse_address("10.240.0.22"), "eth0")


@pytest.mark.parametrize(
    "text",
    [
        "null", "{}", "[1]", "[{}]", "RTNETLINK answers: No such device", "[{", '[{"dst": "10.200.0.0/24"}',
        '[{"dst": "10.200.0.1/24"}]', '[{"dst": "10.200.0.0/024"}]', '[{"dst": "10.200.00.0/24"}]',
        '[{"dst": "10.200.0.0/24", "gateway": "nowhere"}]', '[{"dst": "10.200.0.0/24", "gateway": 1}]',
        '[{"dst": "10.200.0.0/24", "gateway": "fe80::1%\\nroute flush table main"}]',
        '[{"dst": "10.200.0.0/24", "dev": "eth0\\nroute flush table main"}]',
        '[{"dst": "10.200.0.0/24", "dev": "$(reboot)"}]', '[{"dst": "10.200.0.0/24", "type": "a b"}]',
        '[{"dst": "10.200.0.0/24", "type": "unicast\\n"}]', '[{"dst": "10.200.0.0/24", "tos": "0x10\\n"}]',
        '[{"dst": "10.200.0.0/24", "tos": ";reboot"}]',
        '[{"dst": "10.200.0.0/24", "metric": -1}]', '[{"dst": "10.200.0.0/24", "metric": 4294967296}]',
        '[{"dst": "10.200.0.0/24", "protocol": "201\\n"}]', '[{"dst": "10.200.0.0/24", "protocol": "256"}]',
        '[{"dst": "10.200.0.0/24", "protocol": "-1"}]', '[{"dst": "10.200.0.0/24", "protocol": "a b"}]',
        '[{"dst": "10.200.0.0/24", "protocol": {}}]', '[{"dst": "10.200.0.0/24", "scope": "link;"}]',
        '[{"dst": "10.200.0.0/24", "prefsrc": "x"}]',
        '[{"dst": "10.200.0.0/24", "nexthops": [{"dev": "eth0;"}]}]', '[{"dst": "fd00::/64"}]',
        "[" * 100_000, '[{"dst": "10.200.0.0/24", "protocol": "' + "9" * 5000 + '"}]', '["\ud800"]',
        '[{"dst": "10.200.0.0/24", "gateway": "fd00::1"}]',
    ],
)  # fmt: skip
def test_what_is_no_table_of_routes(text: str) -> None:
    with pytest.raises(FactsError, match=r"^`ip -j route` printed what can't be understood: [^\n]+$"):
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
    st.dictionaries(
        st.sampled_from(
            ["dst", "type", "gateway", "dev", "protocol", "metric", "tos", "flags", "via", "nexthops", "prefsrc"]
        ),
        json_values | odd_words | st.lists(st.dictionaries(st.sampled_from(["gateway", "dev", "weight"]), odd_words)),
    ),
    max_size=3,
)


@given(st.text() | json_values.map(json.dumps) | almost_routes.map(json.dumps), st.sampled_from([4, 6]))
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
    )


@given(st.sampled_from(FAMILIES).flatmap(lambda family: st.lists(routes_of(family), max_size=3)), st.booleans())
def test_what_ip_prints_is_read_back_whole(routes: list[Route], numeric: bool) -> None:
    family: Family = 6 if routes and routes[0].destination.version == 6 else 4
    text = json.dumps([render_route(route, numeric=numeric) for route in routes])
    assert parse_routes(text, family) == tuple(routes)
