import pickle
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import islice

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from podroutes.addresses import IPNetwork, parse_address
from podroutes.inventory.network_plan import PodRoute, subnet
from tests.unit.podroutes.builders import IPV4, controller, dual_stack_cluster, ipv4_cluster, plan_of, worker


@pytest.mark.parametrize(
    ("network", "mask_size", "index", "expected"),
    [
        ("10.200.0.0/16", 24, 0, "10.200.0.0/24"),
        ("10.200.0.0/16", 24, 10, "10.200.10.0/24"),
        ("10.200.0.0/16", 24, 56, "10.200.56.0/24"),
        ("10.200.0.0/16", 24, 255, "10.200.255.0/24"),
        ("10.192.0.0/10", 24, 256, "10.193.0.0/24"),
        ("10.192.0.0/10", 26, 5, "10.192.1.64/26"),
        ("172.16.0.0/12", 24, 4095, "172.31.255.0/24"),
        ("10.200.7.0/24", 24, 0, "10.200.7.0/24"),
        ("10.200.7.4/30", 32, 3, "10.200.7.7/32"),
        ("fd00:200::/48", 64, 0, "fd00:200::/64"),
        ("fd00:200::/48", 64, 65535, "fd00:200:0:ffff::/64"),
        ("::/0", 128, 2**128 - 1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"),
    ],
)
def test_subnet_is_arithmetic(network: str, mask_size: int, index: int, expected: str) -> None:
    assert str(subnet(ip_network(network), mask_size, index)) == expected


@pytest.mark.parametrize(("mask_size", "index"), [(24, 256), (24, -1), (16, 1), (32, 65536)])
def test_a_subnet_that_is_not_there(mask_size: int, index: int) -> None:
    with pytest.raises(ValueError, match=rf"^10\.200\.0\.0/16 has no /{mask_size} network with number {index}$"):
        subnet(ip_network("10.200.0.0/16"), mask_size, index)


@st.composite
def networks(draw: st.DrawFn) -> IPNetwork:
    if draw(st.booleans()):
        return IPv4Network((draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 32))), strict=False)
    return IPv6Network((draw(st.integers(0, 2**128 - 1)), draw(st.integers(0, 128))), strict=False)


@given(networks(), st.integers(0, 128), st.integers(0, 300))
def test_subnet_equals_the_enumeration_of_ipaddress(network: IPNetwork, mask_size: int, index: int) -> None:
    assume(network.prefixlen <= mask_size <= network.max_prefixlen)
    enumerated = next(islice(network.subnets(new_prefix=mask_size), index, None), None)
    if enumerated is None:
        with pytest.raises(ValueError, match="has no /"):
            subnet(network, mask_size, index)
    else:
        assert subnet(network, mask_size, index) == enumerated


@pytest.mark.parametrize(
    ("destination", "probe"),
    [
        ("10.200.1.0/24", "10.200.1.1"),
        ("10.200.1.7/32", "10.200.1.7"),
        ("10.200.1.6/31", "10.200.1.7"),
        ("fd00:200::/64", "fd00:200::1"),
        ("fd00:200::7/128", "fd00:200::7"),
    ],
)
def test_the_probe_is_the_first_usable_address(destination: str, probe: str) -> None:
    route = PodRoute(ip_network(destination), parse_address("10.240.0.21"), "worker-1")
    assert route.probe == parse_address(probe)
    assert route.family == ip_network(destination).version


def test_routes_are_sorted_by_number_not_by_text() -> None:
    plan = plan_of(IPV4, worker(10), worker(9), worker(100))
    assert [(str(route.destination), str(route.next_hop), route.worker) for route in plan.pod_routes] == [
        ("10.200.9.0/24", "10.240.0.29", "worker-9"),
        ("10.200.10.0/24", "10.240.0.30", "worker-10"),
        ("10.200.100.0/24", "10.240.0.120", "worker-100"),
    ]


def test_a_worker_has_every_route_but_its_own_and_a_controller_has_all() -> None:
    plan = ipv4_cluster()
    routes = {name: [str(route.destination) for route in plan.routes_for(node)] for name, node in plan.nodes.items()}
    assert routes == {
        "controller-0": ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24"],
        "worker-0": ["10.200.1.0/24", "10.200.2.0/24"],
        "worker-1": ["10.200.0.0/24", "10.200.2.0/24"],
        "worker-2": ["10.200.0.0/24", "10.200.1.0/24"],
    }


def test_dual_stack_routes_use_the_next_hop_of_their_family() -> None:
    plan = dual_stack_cluster()
    assert plan.families == (4, 6)
    assert [(str(route.destination), str(route.next_hop)) for route in plan.routes_for(plan.nodes["worker-0"])] == [
        ("10.200.1.0/24", "10.240.0.21"),
        ("10.200.2.0/24", "10.240.0.22"),
        ("fd00:200:0:1::/64", "fd00:240::21"),
        ("fd00:200:0:2::/64", "fd00:240::22"),
    ]


@pytest.mark.parametrize(
    ("destination", "owned"),
    [
        ("10.200.9.0/24", True),
        ("10.200.0.0/16", True),
        ("10.200.1.7/32", True),
        ("10.0.0.0/8", False),
        ("10.201.0.0/24", False),
        ("0.0.0.0/0", False),
        ("::/0", False),
    ],
)
def test_what_lies_in_the_range_that_is_ours(destination: str, owned: bool) -> None:
    assert ipv4_cluster().owns(ip_network(destination)) == owned


def test_what_a_machine_should_have_and_is_asked_for_belongs_to_its_routes() -> None:
    plan = dual_stack_cluster()
    for node in plan.nodes.values():
        pod_routes = plan.routes_for(node)
        routes, lookups = plan.ways_for(node, {4: "eth0", 6: "eth1"})
        assert routes == tuple(one.on("eth0" if one.family == 4 else "eth1") for one in pod_routes)
        assert [(one.address, one.via, one.dev) for one in lookups] == [
            (one.probe, one.next_hop, "eth0" if one.family == 4 else "eth1") for one in pod_routes
        ]
        assert plan.lookup_commands_for(node) == tuple(f"route get {one.probe}" for one in pod_routes)
        assert plan.ways_for(node, {4: "eth1", 6: "eth0"})[0] != routes


def test_a_plan_can_be_pickled_with_what_it_has_computed() -> None:
    plan = plan_of(IPV4, controller(0), worker(0), worker(1))
    routes = plan.pod_routes
    copy = pickle.loads(pickle.dumps(plan))  # noqa: S301  # our own bytes
    assert copy == plan
    assert copy.pod_routes == routes
