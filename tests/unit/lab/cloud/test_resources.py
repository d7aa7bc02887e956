from typing import Any

import pytest

from lab.cloud.resources import port_body, subnet_bodies
from lab.layout import Layout


@pytest.mark.parametrize(
    ("layout", "subnets"),
    [
        (Layout(), [("kubernetes", 4, "10.240.0.0/24", "10.240.0.1")]),
        (Layout(node_network="10.241.0.0/22"), [("kubernetes", 4, "10.241.0.0/22", "10.241.0.1")]),
        (
            Layout(ipv6=True),
            [
                ("kubernetes", 4, "10.240.0.0/24", "10.240.0.1"),
                ("kubernetes-ipv6", 6, "fd00:240::/64", "fd00:240::1"),
            ],
        ),
    ],
)
def test_a_subnet_for_each_family(layout: Layout, subnets: list[tuple[Any, ...]]) -> None:
    bodies = subnet_bodies(layout)
    assert [tuple(body[key] for key in ("name", "ip_version", "cidr", "gateway_ip")) for body in bodies] == subnets
    assert all(body["enable_dhcp"] for body in bodies)


def test_a_port_has_the_hosts_addresses_in_their_subnets() -> None:
    body = port_body(Layout(ipv6=True).host("worker-1"), ["four", "six"])
    assert (body["name"], body["mac_address"]) == ("worker-1", "02:00:0a:f0:00:15")
    assert body["fixed_ips"] == [
        {"subnet_id": "four", "ip_address": "10.240.0.21"},
        {"subnet_id": "six", "ip_address": "fd00:240::21"},
    ]
