"""What Neutron's API answers, typed."""

from typing import Any

import pytest

from podroutes.addresses import parse_address, parse_network
from podroutes.errors import CloudError
from podroutes.host.cloud import CloudState, HostRoute, parse_ports, parse_routers, parse_subnets

SUBNET: dict[str, Any] = {
    "id": "s",
    "name": "kubernetes",
    "network_id": "n",
    "cidr": "10.240.0.0/24",
    "enable_dhcp": True,
    "host_routes": [{"destination": "10.200.0.0/24", "nexthop": "10.240.0.20"}],
    "revision_number": 7,
}
PORT: dict[str, Any] = {
    "id": "p",
    "name": "worker-0",
    "mac_address": "02:00:0a:f0:00:14",
    "fixed_ips": [{"subnet_id": "s", "ip_address": "10.240.0.20"}],
    "port_security_enabled": True,
    "allowed_address_pairs": [{"ip_address": "10.200.0.0/24", "mac_address": "02:00:0a:f0:00:14"}],
}


def test_what_neutron_says_of_a_subnet() -> None:
    (subnet,) = parse_subnets([SUBNET])
    assert (subnet.label, subnet.family, subnet.enable_dhcp) == ("kubernetes", 4, True)
    assert subnet.host_routes == (HostRoute(parse_network("10.200.0.0/24"), parse_address("10.240.0.20")),)
    assert str(subnet.host_routes[0]) == "destination='10.200.0.0/24', gateway='10.240.0.20'"


@pytest.mark.parametrize("key", ["host_routes", "name", "enable_dhcp"])
def test_what_a_cloud_leaves_out_of_a_subnet_is_as_neutron_has_it_by_default(key: str) -> None:
    (subnet,) = parse_subnets([SUBNET | {key: None}])
    assert (subnet.host_routes == ()) == (key == "host_routes")
    assert subnet.label == ("s" if key == "name" else "kubernetes")
    assert subnet.enable_dhcp is True


def test_an_ipv6_subnet() -> None:
    (subnet,) = parse_subnets([SUBNET | {"cidr": "fd00:240::/64", "host_routes": []}])
    assert subnet.family == 6


def test_routes_are_compared_as_addresses_and_written_as_they_were() -> None:
    odd = {"destination": "2001:0DB8:0::/48", "nexthop": "FD00::0009"}
    (router,) = parse_routers([{"id": "r", "name": "r", "routes": [odd]}])
    same = HostRoute(parse_network("2001:db8::/48"), parse_address("fd00::9"))
    assert router.routes == (same,)
    assert hash(router.routes[0]) == hash(same)
    assert router.routes[0].as_json() == odd
    assert same.as_json() == {"destination": "2001:db8::/48", "nexthop": "fd00::9"}


def test_what_neutron_says_of_a_port() -> None:
    (port,) = parse_ports([PORT])
    assert (port.label, port.port_security_enabled) == ("worker-0", True)
    assert [pair.as_json() for pair in port.allowed_address_pairs] == PORT["allowed_address_pairs"]


@pytest.mark.parametrize(
    ("address", "subnet", "found"),
    [
        ("10.240.0.20", "s", True),
        ("10.240.0.20", "another", False),
        ("10.240.0.21", "s", False),
        ("fd00::1", "s", False),
    ],
)
def test_the_port_that_holds_an_address(address: str, subnet: str, found: bool) -> None:
    subnets = parse_subnets([SUBNET | {"id": subnet}])
    cloud = CloudState("n", {4: subnets[0]}, parse_ports([PORT]))
    assert (cloud.port_of(parse_address(address)) == parse_ports([PORT])[0]) == found


@pytest.mark.parametrize(
    ("key", "value"), [("port_security_enabled", True), ("allowed_address_pairs", ()), ("fixed_ips", ())]
)
def test_what_a_cloud_leaves_out_of_a_port(key: str, value: object) -> None:
    (port,) = parse_ports([PORT | {key: None}])
    assert getattr(port, key) == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cidr": "10.240.0.0"}, "'10.240.0.0' has no mask; write a network such as 10.200.0.0/16"),
        ({"cidr": 7}, "7 is not a network; write it as text, such as 10.200.0.0/16"),
        ({"host_routes": [{"destination": "10.200.0.0/24"}]}, "Object missing required field `nexthop`"),
        ({"host_routes": ["10.200.0.0/24"]}, "Expected `object`, got `str`"),
        ({"host_routes": [{"destination": "10.200.0.0/24", "nexthop": "x"}]}, "'x' is not an address"),
        ({"id": None}, "Object missing required field `id`"),
    ],
)
def test_what_is_no_answer_of_neutrons_is_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CloudError) as raised:
        parse_subnets([SUBNET | change])
    assert str(raised.value) == f"the API's answer about subnets can't be understood: {message}"
