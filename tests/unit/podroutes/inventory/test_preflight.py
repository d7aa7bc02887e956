"""Whole inventories in, exact problem lines or the exact plan out."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from podroutes.addresses import contains
from podroutes.errors import InventoryError
from podroutes.inventory.model import HostEntry
from tests.unit.podroutes.builders import DUAL, IPV4, IPV6, controller, host, plan_of, worker

BAD_NAME = "is no name for a host; use letters, digits, dots and dashes"
UNUSABLE = "is no machine's address in the node network"


def problems_of(defaults: Mapping[str, Any], *entries: HostEntry) -> list[str]:
    with pytest.raises(InventoryError) as raised:
        plan_of(defaults, *entries)
    problems = [str(problem) for problem in raised.value.problems]
    count = len(problems)
    assert str(raised.value) == f"{count} problem{'s' if count != 1 else ''} in the inventory"
    return problems


# Each case has what is wrong with one host (or two), beside a worker-0 and a controller-0 that are right.
@pytest.mark.parametrize(
    ("entries", "problems"),
    [
        # groups
        (
            [host("etcd-0", "10.240.0.30", ["etcd"], pod_index=5)],
            ["etcd-0: data.pod_index: is for machines of the cluster; add controllers or workers to the host's groups"],
        ),
        (
            [host("etcd-0", "10.240.0.30", [])],
            ["etcd-0: groups: is in no group; add controllers or workers, or a group of your own"],
        ),
        # names
        ([host("worker 1", "10.240.0.21", pod_index=1)], [f"worker 1: {BAD_NAME}"]),
        ([host("-oProxyCommand=x", "10.240.0.21", pod_index=1)], [f"-oProxyCommand=x: {BAD_NAME}"]),
        ([host("w1;reboot", "10.240.0.21", pod_index=1)], [f"w1;reboot: {BAD_NAME}"]),
        # hostname
        (
            [host("worker-1", None, pod_index=1, internal_ips="10.240.0.21")],
            ["worker-1: hostname: is missing; write the address or name to reach the host at"],
        ),
        (
            [host("worker-1", "", pod_index=1, internal_ips="10.240.0.21")],
            ["worker-1: hostname: is missing; write the address or name to reach the host at"],
        ),
        (
            [worker(1, "-oProxyCommand=touch /tmp/x", internal_ips="10.240.0.21")],
            ["worker-1: hostname: '-oProxyCommand=touch /tmp/x' is neither an address nor a host name"],
        ),
        (
            [worker(1, "worker-1\nworker-2", internal_ips="10.240.0.21")],
            ["worker-1: hostname: 'worker-1\\nworker-2' is neither an address nor a host name"],
        ),
        (
            [worker(1, "10.240.0.256", internal_ips="10.240.0.21")],
            ["worker-1: hostname: '10.240.0.256' is not an address"],
        ),
        (
            [worker(1, "10.240.0.021", internal_ips="10.240.0.21")],
            [
                (
                    "worker-1: hostname: '10.240.0.021' is not an address: a number starts with 0, which `ip` reads as "
                    "octal; write it without leading zeros"
                )
            ],
        ),
        (
            [worker(1, "fd00::1%eth0", internal_ips="10.240.0.21")],
            ["worker-1: hostname: 'fd00::1%eth0' is not an address: it has a zone; write it without %eth0"],
        ),
        (
            [worker(1, "10.200.0.77", internal_ips="10.240.0.21")],
            [
                (
                    "worker-1: hostname: 10.200.0.77 lies in the pod CIDR 10.200.0.0/24 of worker-0: its route would "
                    "cut this host off"
                )
            ],
        ),
        (
            [worker(1, "10.200.1.77", internal_ips="10.240.0.21")],
            [
                (
                    "worker-1: hostname: 10.200.1.77 lies in the pod CIDR 10.200.1.0/24 of worker-1: its route would "
                    "cut this host off"
                )
            ],
        ),
        # internal IPs
        (
            [worker(1, "worker-1.example.org")],
            [
                (
                    "worker-1: data.internal_ips: is missing: the others need an IPv4 address in 10.240.0.0/24 as next "
                    "hop; write one"
                )
            ],
        ),
        (
            [worker(1, "10.0.1.21")],
            [
                (
                    "worker-1: data.internal_ips: is missing: the others need an IPv4 address in 10.240.0.0/24 as next "
                    "hop; write one"
                )
            ],
        ),
        (
            [worker(1, internal_ips="10.241.0.21")],
            [f"worker-1: data.internal_ips: 10.241.0.21 {UNUSABLE} 10.240.0.0/24"],
        ),
        ([worker(1, internal_ips="10.240.0.0")], [f"worker-1: data.internal_ips: 10.240.0.0 {UNUSABLE} 10.240.0.0/24"]),
        (
            [worker(1, internal_ips="10.240.0.255")],
            [f"worker-1: data.internal_ips: 10.240.0.255 {UNUSABLE} 10.240.0.0/24"],
        ),
        ([worker(1, "10.240.0.255")], [f"worker-1: hostname: 10.240.0.255 {UNUSABLE} 10.240.0.0/24"]),
        ([controller(1, "10.240.0.0")], [f"controller-1: hostname: 10.240.0.0 {UNUSABLE} 10.240.0.0/24"]),
        (
            [controller(1, "controller-1", internal_ips="10.9.9.9")],
            [f"controller-1: data.internal_ips: 10.9.9.9 {UNUSABLE} 10.240.0.0/24"],
        ),
        (
            [worker(1, internal_ips=["10.240.0.21", "fd00:240::21"])],
            ["worker-1: data.internal_ips: fd00:240::21: the cluster's node_network has no IPv6"],
        ),
        ([worker(1, "10.240.0.20")], ["worker-1: hostname: 10.240.0.20 is used by worker-0 already"]),
        (
            [worker(1, internal_ips="10.240.0.10")],
            ["worker-1: data.internal_ips: 10.240.0.10 is used by controller-0 already"],
        ),
        (
            [
                host("worker-1", "w1", group_data={"workers": {"first_internal_ips": "10.240.0.255"}}, pod_index=1),
                host("worker-2", "w2", group_data={"workers": {"first_internal_ips": "10.240.0.18"}}, pod_index=2),
            ],
            [
                f"workers: data.first_internal_ips: 10.240.1.0 for worker-1 {UNUSABLE} 10.240.0.0/24",
                "workers: data.first_internal_ips: 10.240.0.20 for worker-2 is used by worker-0 already",
            ],
        ),
        (
            [worker(7, "w7", first_internal_ips="255.255.255.250")],
            ["worker-7: data.first_internal_ips: there is no address that is 7 after 255.255.255.250"],
        ),
        # pod_index
        (
            [host("worker-1", "10.240.0.21")],
            ["worker-1: data.pod_index: is missing; write the worker's number, counted from 0"],
        ),
        (
            [host("worker-9", "10.240.0.29", pod_index=0)],
            [
                "worker-9: data.pod_index: 0 is used by worker-0 already",
                "worker-9: data.pod_index: pod CIDR 10.200.0.0/24 is worker-0's already",
            ],
        ),
        (
            [worker(256, "10.240.0.99")],
            ["worker-256: data.pod_index: 256 is out of range: 10.200.0.0/16 holds /24 networks 0 to 255"],
        ),
        (
            [worker(10**40, "10.240.0.99")],
            [f"worker-{10**40}: data.pod_index: {10**40} is out of range: 10.200.0.0/16 holds /24 networks 0 to 255"],
        ),
        (
            [host("worker-1", "10.240.0.21", pod_index=-1)],
            ["worker-1: data.pod_index: must be at least 0"],
        ),
        (
            [host("worker-1", "10.240.0.21", pod_index=True)],
            ["worker-1: data.pod_index: must be a whole number, without quotes"],
        ),
        (
            [host("worker-1", "10.240.0.21", pod_index="1")],
            ["worker-1: data.pod_index: must be a whole number, without quotes"],
        ),
        (
            [controller(1, pod_index=3, pod_cidrs="10.200.3.0/24")],
            [
                "controller-1: data.pod_cidrs: is for workers, and this host is only in controllers",
                "controller-1: data.pod_index: is for workers, and this host is only in controllers",
            ],
        ),
        # pod CIDRs
        (
            [worker(1, pod_cidrs="10.201.0.0/24")],
            ["worker-1: data.pod_cidrs: 10.201.0.0/24 is not inside cluster_cidr 10.200.0.0/16"],
        ),
        (
            [worker(1, pod_cidrs="10.0.0.0/8")],
            [
                "worker-0: data.pod_index: pod CIDR 10.200.0.0/24 overlaps worker-1's, 10.0.0.0/8",
                "worker-1: data.pod_cidrs: 10.0.0.0/8 is not inside cluster_cidr 10.200.0.0/16",
                "worker-1: data.pod_cidrs: pod CIDR 10.0.0.0/8 overlaps node_network 10.240.0.0/24",
                "worker-1: data.pod_cidrs: pod CIDR 10.0.0.0/8 overlaps service_cluster_ip_range 10.32.0.0/24",
                (
                    "controller-0: hostname: 10.240.0.10 lies in the pod CIDR 10.0.0.0/8 of worker-1: its route would "
                    "cut this host off"
                ),
                (
                    "worker-0: hostname: 10.240.0.20 lies in the pod CIDR 10.0.0.0/8 of worker-1: its route would cut "
                    "this host off"
                ),
                (
                    "worker-1: hostname: 10.240.0.21 lies in the pod CIDR 10.0.0.0/8 of worker-1: its route would cut "
                    "this host off"
                ),
            ],
        ),
        (
            [worker(1, pod_cidrs="10.200.0.0/24")],
            ["worker-1: data.pod_cidrs: pod CIDR 10.200.0.0/24 is worker-0's already"],
        ),
        (
            [worker(1, pod_cidrs="10.200.0.128/25")],
            ["worker-1: data.pod_cidrs: pod CIDR 10.200.0.128/25 overlaps worker-0's, 10.200.0.0/24"],
        ),
        (
            [worker(1, pod_cidrs="10.200.4.0/22"), worker(5), worker(7)],
            [
                "worker-5: data.pod_index: pod CIDR 10.200.5.0/24 overlaps worker-1's, 10.200.4.0/22",
                "worker-7: data.pod_index: pod CIDR 10.200.7.0/24 overlaps worker-1's, 10.200.4.0/22",
            ],
        ),
        (
            [worker(1, pod_cidrs="10.200.4.1/22")],
            [
                (
                    "worker-1: data.pod_cidrs: '10.200.4.1/22' is not a network: it has host bits set; write "
                    "10.200.4.0/22, or another mask"
                )
            ],
        ),
        (
            [worker(1, pod_cidrs=["10.200.1.0/24", "fd00:200::/64"])],
            ["worker-1: data.pod_cidrs: fd00:200::/64: cluster_cidr has no IPv6"],
        ),
        # interface
        (
            [worker(1, interface="eth0\nroute flush table main")],
            [
                (
                    "worker-1: data.interface: 'eth0\\nroute flush table main' is not an interface name; write one "
                    "such as eth0 (15 letters, digits and _ . @ : + - at most)"
                )
            ],
        ),
        (
            [worker(1, interface="$(reboot)")],
            [
                (
                    "worker-1: data.interface: '$(reboot)' is not an interface name; write one such as eth0 (15 "
                    "letters, digits and _ . @ : + - at most)"
                )
            ],
        ),
        (
            [worker(1, interface="a-name-too-long0")],
            [
                (
                    "worker-1: data.interface: 'a-name-too-long0' is not an interface name; write one such as eth0 (15 "
                    "letters, digits and _ . @ : + - at most)"
                )
            ],
        ),
    ],
)
def test_one_wrong_host_among_right_ones(entries: list[HostEntry], problems: list[str]) -> None:
    defaults = IPV4 | {"service_cluster_ip_range": "10.32.0.0/24"}
    expected = {f"{'groups' if line.startswith('workers:') else 'hosts'}.yaml: {line}" for line in problems}
    found = problems_of(defaults, controller(0), worker(0), *entries)
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("defaults", "problems"),
    [
        (
            {"cluster_cidr": "10.200.0.0/16"},
            ["data.node_network: is missing"],
        ),
        (
            IPV4 | {"node_cidr_mask_size": 15},
            ["data.node_cidr_mask_size: 15 does not fit 10.200.0.0/16; write a mask from 16 to 32"],
        ),
        (
            IPV4 | {"node_cidr_mask_size": 33},
            ["data.node_cidr_mask_size: 33 does not fit 10.200.0.0/16; write a mask from 16 to 32"],
        ),
        (
            IPV4 | {"node_cidr_mask_size_ipv4": 8},
            ["data.node_cidr_mask_size_ipv4: 8 does not fit 10.200.0.0/16; write a mask from 16 to 32"],
        ),
        (
            IPV4 | {"cluster_cidr": ["10.200.0.0/16", "fd00:200::/48"]},
            ["data.node_network: must have the same families as cluster_cidr: next hops are addresses in it"],
        ),
        (
            IPV4 | {"node_network": ["10.240.0.0/24", "fd00:240::/64"]},
            [
                "data.node_network: must have the same families as cluster_cidr: next hops are addresses in it",
            ],
        ),
        (
            IPV4 | {"cluster_cidr": ["10.200.0.0/16", "10.201.0.0/16"]},
            ["data.cluster_cidr: two IPv4 values; one per family is allowed"],
        ),
    ],
)
def test_a_wrong_network_plan(defaults: Mapping[str, Any], problems: list[str]) -> None:
    found = [line for line in problems_of(defaults, worker(0)) if line.startswith("defaults.yaml")]
    assert found == [f"defaults.yaml: defaults: {line}" for line in problems]


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"node_network": "10.200.0.0/24"}, "pod CIDR 10.200.0.0/24 overlaps node_network 10.200.0.0/24"),
        ({"node_network": "10.0.0.0/8"}, "pod CIDR 10.200.0.0/24 overlaps node_network 10.0.0.0/8"),
        (
            {"service_cluster_ip_range": "10.200.0.128/28"},
            "pod CIDR 10.200.0.0/24 overlaps service_cluster_ip_range 10.200.0.128/28",
        ),
    ],
)
def test_a_computed_pod_cidr_in_a_range_of_others(extra: dict[str, str], problem: str) -> None:
    internal_ip = "10.200.0.77" if "node_network" in extra else "10.240.0.20"
    assert problems_of(IPV4 | extra, worker(0, "worker-0", internal_ips=internal_ip)) == [
        f"hosts.yaml: worker-0: data.pod_index: {problem}"
    ]


@pytest.mark.parametrize("entries", [[], [controller(0)], [host("bastion", "b", [], manage_routes=False)]])
def test_without_workers_there_is_nothing_to_route_to(entries: list[HostEntry]) -> None:
    assert problems_of(IPV4, *entries) == [
        "defaults.yaml: defaults: no host is in the group workers: there is no pod CIDR to route to"
    ]


def test_a_hostname_that_is_no_text_is_a_problem_not_a_crash() -> None:
    entry = replace(worker(1, internal_ips="10.240.0.21"), hostname=10.240)  # YAML may
    assert problems_of(IPV4, worker(0), entry) == ["hosts.yaml: worker-1: hostname: must be text; put it in quotes"]


def test_every_problem_is_listed_at_once_and_only_once() -> None:
    in_group: dict[str, dict[str, Any]] = {"workers": {"intrface": "eth0", "node_network": "10.240.0.0/24"}}
    found = problems_of(
        {"cluster_cidr": "10.200.0.0/16", "node_network": "10.240.0.0/24", "node_cidr_mask_size": 8, "pod_cidr": 3},
        host("worker-0", "10.240.0.20", group_data=in_group, pod_index="0"),
        host("worker-1", "10.240.0.21", group_data=in_group, pod_index=True),
        host("worker-2", None, interface="eth 0"),
    )
    assert [line.split(": ")[:3] for line in found] == [
        ["defaults.yaml", "defaults", "data.pod_cidr"],
        ["groups.yaml", "workers", "data.intrface"],
        ["groups.yaml", "workers", "data.node_network"],
        ["hosts.yaml", "worker-0", "data.pod_index"],
        ["hosts.yaml", "worker-1", "data.pod_index"],
        ["hosts.yaml", "worker-2", "data.interface"],
    ]


def test_the_key_of_a_computed_pod_cidr_is_its_index_even_beside_an_override() -> None:
    found = problems_of(
        DUAL,
        worker(0, internal_ips="fd00:240::20", pod_cidrs="10.200.0.0/24"),
        worker(1, internal_ips="fd00:240::21", pod_cidrs="fd00:200::/64"),
    )
    assert found == ["hosts.yaml: worker-1: data.pod_cidrs: pod CIDR fd00:200::/64 is worker-0's already"]
    found = problems_of(
        DUAL,
        worker(0, internal_ips="fd00:240::20", pod_cidrs="fd00:200:0:1::/64"),
        worker(1, internal_ips="fd00:240::21", pod_cidrs="10.200.9.0/24"),
    )
    assert found == ["hosts.yaml: worker-1: data.pod_index: pod CIDR fd00:200:0:1::/64 is worker-0's already"]


@pytest.mark.parametrize(
    ("defaults", "entry", "pod_cidrs", "internal_ips"),
    [
        (IPV4, worker(10), ["10.200.10.0/24"], ["10.240.0.30"]),
        (IPV4, worker(56), ["10.200.56.0/24"], ["10.240.0.76"]),
        (IPV4, worker(255, "10.240.0.254"), ["10.200.255.0/24"], ["10.240.0.254"]),
        (
            IPV4 | {"cluster_cidr": "10.192.0.0/10"},
            worker(300, "w", internal_ips="10.240.0.9", pod_cidrs="10.193.44.0/24"),
            ["10.193.44.0/24"],
            ["10.240.0.9"],
        ),
        (
            {"cluster_cidr": "10.192.0.0/10", "node_network": "10.1.0.0/24"},
            worker(300, "10.1.0.9"),
            ["10.193.44.0/24"],
            ["10.1.0.9"],
        ),
        (
            {"cluster_cidr": "10.192.0.0/10", "node_network": "10.1.0.0/24", "node_cidr_mask_size": 26},
            worker(5, "10.1.0.9"),
            ["10.192.1.64/26"],
            ["10.1.0.9"],
        ),
        (
            {"cluster_cidr": "172.16.0.0/12", "node_network": "10.1.0.0/24", "node_cidr_mask_size_ipv4": 20},
            worker(255, "10.1.0.9"),
            ["172.31.240.0/20"],
            ["10.1.0.9"],
        ),
        (
            {"cluster_cidr": "10.200.7.0/28", "node_network": "10.1.0.0/24"},
            worker(0, "10.1.0.9"),
            ["10.200.7.0/28"],
            ["10.1.0.9"],
        ),
        (IPV6, worker(10, "fd00:240::1e"), ["fd00:200:0:a::/64"], ["fd00:240::1e"]),
        (IPV6 | {"node_cidr_mask_size": 72}, worker(1, "fd00:240::1e"), ["fd00:200:0:0:100::/72"], ["fd00:240::1e"]),
        (
            DUAL | {"node_cidr_mask_size": 26, "node_cidr_mask_size_ipv6": 56},
            worker(1, internal_ips="fd00:240::21"),
            ["10.200.0.64/26", "fd00:200:0:100::/56"],
            ["10.240.0.21", "fd00:240::21"],
        ),
        (
            DUAL,
            worker(1, "w1", internal_ips="fd00:240::99,10.240.0.99", pod_cidrs="fd00:200:0:9::/64,10.200.9.0/24"),
            ["10.200.9.0/24", "fd00:200:0:9::/64"],
            ["10.240.0.99", "fd00:240::99"],
        ),
        (
            DUAL,
            host("w", "w1", internal_ips="fd00:240::99,10.240.0.99", pod_cidrs="fd00:200:0:9::/64,10.200.9.0/24"),
            ["10.200.9.0/24", "fd00:200:0:9::/64"],
            ["10.240.0.99", "fd00:240::99"],
        ),
        (
            DUAL,
            worker(36, "w36", first_internal_ips="10.240.0.20,fd00:240::20"),
            ["10.200.36.0/24", "fd00:200:0:24::/64"],
            ["10.240.0.56", "fd00:240::44"],
        ),
        # an address of hostname in the node network goes before the computed one, an explicit one before both
        (IPV4, worker(3, "10.240.0.99", first_internal_ips="10.240.0.20"), ["10.200.3.0/24"], ["10.240.0.99"]),
        (
            IPV4,
            worker(3, "10.240.0.99", first_internal_ips="10.240.0.20", internal_ips="10.240.0.7"),
            ["10.200.3.0/24"],
            ["10.240.0.7"],
        ),
        # LXD: reached at another network's address
        (
            IPV4 | {"node_network": "10.0.2.0/24"},
            worker(0, "10.0.1.37", internal_ips="10.0.2.20"),
            ["10.200.0.0/24"],
            ["10.0.2.20"],
        ),
        # RFC 3021: both addresses of a /31 are usable; IPv6 has no broadcast
        (IPV4 | {"node_network": "10.240.0.0/31"}, worker(0, "10.240.0.0"), ["10.200.0.0/24"], ["10.240.0.0"]),
        (IPV6, worker(0, "fd00:240::ffff:ffff:ffff:ffff"), ["fd00:200::/64"], ["fd00:240::ffff:ffff:ffff:ffff"]),
        # the engineer's own keys
        (IPV4 | {"x_site": "b"}, worker(0, x_rack=7), ["10.200.0.0/24"], ["10.240.0.20"]),
    ],
)
def test_what_is_computed_and_what_overrides_it(
    defaults: Mapping[str, Any], entry: HostEntry, pod_cidrs: list[str], internal_ips: list[str]
) -> None:
    node = plan_of(defaults, entry).nodes[entry.name]
    assert [str(cidr) for cidr in node.pod_cidrs] == pod_cidrs
    assert [str(ip) for ip in node.internal_ips] == internal_ips


def test_a_host_that_is_not_managed_keeps_its_route_on_the_others() -> None:
    plan = plan_of(IPV4, worker(0), worker(1, manage_routes=False))
    assert [route.worker for route in plan.routes_for(plan.nodes["worker-0"])] == ["worker-1"]
    assert not plan.nodes["worker-1"].manage_routes


def test_a_host_in_no_group_that_is_not_managed_is_no_part_of_the_cluster() -> None:
    plan = plan_of(IPV4, worker(0), host("bastion 0", "b", [], manage_routes=False))
    assert list(plan.nodes) == ["worker-0"]


def test_a_controller_needs_no_internal_ip_and_passes_its_settings_on() -> None:
    entry = controller(0, "controller-0.example.org", interface="eth1", routes_service=False)
    node = plan_of(IPV4, entry, worker(0)).nodes["controller-0"]
    assert (node.role, node.address, node.internal_ips) == ("controller", "controller-0.example.org", ())
    assert (node.interface, node.routes_service, node.pod_cidrs) == ("eth1", False, ())


@pytest.mark.parametrize("setting", ["networkmanager", "ifupdown"])
def test_a_manager_that_only_starts_the_unit_needs_the_unit(setting: str) -> None:
    needs = "needs routes.service, and routes_service is false; leave one of the two out"
    one = worker(0, persist=setting, routes_service=False)
    assert problems_of(IPV4, one) == [f"hosts.yaml: worker-0: data.persist: {setting} {needs}"]
    defaults = {"persist": setting}
    others = [worker(0, routes_service=False, defaults=defaults), worker(1, defaults=defaults)]
    assert problems_of(IPV4, *others) == [f"defaults.yaml: defaults: data.persist: {setting} for worker-0 {needs}"]
    assert plan_of(IPV4, worker(0, persist=setting)).nodes["worker-0"].persist == setting
    networkd = plan_of(IPV4, worker(0, persist="networkd", routes_service=False))
    assert networkd.nodes["worker-0"].persist == "networkd"


def test_a_controller_that_is_a_worker_too_is_a_worker() -> None:
    plan = plan_of(IPV4, host("both", "10.240.0.20", ["controllers", "workers"], pod_index=0))
    assert plan.nodes["both"].role == "worker"


@st.composite
def inventories(draw: st.DrawFn) -> tuple[dict[str, Any], list[HostEntry]]:
    """A valid inventory of up to 30 machines, with any indices that fit, and some pod CIDRs overridden."""
    cluster: IPv4Network | IPv6Network
    if draw(st.booleans()):
        cluster = IPv4Network((draw(st.integers(16, 31)) << 24, draw(st.integers(9, 16))), strict=False)
        mask = draw(st.integers(24, 28))
    else:
        cluster = IPv6Network((0xFD00 << 112, draw(st.integers(32, 56))))
        mask = draw(st.integers(64, 80))
    node_network = "172.16.0.0/16" if cluster.version == 4 else "fd77::/64"
    count = 2 ** (mask - cluster.prefixlen)
    indices = draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=20, unique=True))
    node_ips = draw(st.lists(st.integers(1, 65534), min_size=30, max_size=30, unique=True))
    prefix = "172.16.{}.{}" if cluster.version == 4 else "fd77::{:x}:{:x}"
    addresses = [prefix.format(*divmod(number, 256)) for number in node_ips]
    entries = []
    for index, address in zip(indices, addresses, strict=False):
        key = draw(st.sampled_from(["hostname", "internal_ips", "pod_cidrs"]))
        if key == "hostname":
            entries.append(host(f"w{index}", address, pod_index=index))
        elif key == "internal_ips":
            entries.append(host(f"w{index}", "a-name", pod_index=index, internal_ips=address))
        else:
            start = int(cluster.network_address) + (index << (cluster.max_prefixlen - mask))
            entries.append(host(f"w{index}", address, pod_cidrs=f"{type(cluster.network_address)(start)}/{mask}"))
    entries += [
        host(f"c{number}", addresses[20 + number], ["controllers"]) for number in range(draw(st.integers(0, 9)))
    ]
    defaults = {"cluster_cidr": str(cluster), "node_network": node_network, "node_cidr_mask_size": mask}
    return defaults, draw(st.permutations(entries))


@given(inventories())
def test_every_other_machine_gets_each_pod_cidr_once_and_no_worker_its_own(
    inventory: tuple[dict[str, Any], list[HostEntry]],
) -> None:
    plan = plan_of(inventory[0], *inventory[1])
    all_cidrs = sorted(cidr for worker_node in plan.workers for cidr in worker_node.pod_cidrs)
    assert len(plan.nodes) == len(inventory[1])
    for node in plan.nodes.values():
        routes = plan.routes_for(node)
        assert sorted([route.destination for route in routes] + list(node.pod_cidrs)) == all_cidrs
        for route in routes:
            assert contains(plan.node_networks[0], route.next_hop)
            assert route.next_hop in plan.nodes[route.worker].internal_ips
            assert route.next_hop not in node.internal_ips
