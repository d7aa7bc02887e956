from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from podroutes.inventory.model import HostData, read_cluster, read_host
from podroutes.inventory.typed_keys import read_keys
from tests.unit.podroutes.builders import DEFAULTS_HOLDER, host


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("10.240.0.20", ["10.240.0.20"]),
        (["10.240.0.20"], ["10.240.0.20"]),
        ("fd00::20, 10.240.0.20", ["10.240.0.20", "fd00::20"]),
        (["fd00::20", "10.240.0.20"], ["10.240.0.20", "fd00::20"]),
    ],
)
def test_one_value_or_one_of_each_family_ipv4_first(value: object, addresses: list[str]) -> None:
    data, _ = read_keys(HostData, {"internal_ips": value})
    assert data is not None
    assert [str(ip) for ip in data.internal_ips or ()] == addresses


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("internal_ips", [], "the list is empty; leave the key out, or write one value for each family"),
        ("internal_ips", ["10.240.0.20", "10.240.0.21"],
         "two IPv4 values; one per family is allowed"),
        ("pod_cidrs", "10.200.0.0/24,10.200.0.0/24",
         "two IPv4 values; one per family is allowed"),
        ("pod_cidrs", "10.200.0.0", "'10.200.0.0' has no mask; write a network such as 10.200.0.0/16"),
        ("pod_cidrs", {"ipv4": "10.200.0.0/24"},
         "{'ipv4': '10.200.0.0/24'} is not a network; write it as text, such as 10.200.0.0/16"),
        ("internal_ips", [["10.240.0.20"]],
         "['10.240.0.20'] is not an address; write it as text, such as 10.240.0.20"),
        ("internal_ips", "10.240.0.20,", "'' is not an address"),
        ("pod_index", "0", "must be a whole number, without quotes"),
        ("pod_index", True, "must be a whole number, without quotes"),
        ("pod_index", 1.0, "must be a whole number, without quotes"),
        ("pod_index", [0], "must be a whole number, without quotes"),
        ("pod_index", -1, "must be at least 0"),
        ("manage_routes", "false", "must be true or false, without quotes"),
        ("manage_routes", 0, "must be true or false, without quotes"),
        ("manage_routes", None, "must be true or false, without quotes"),
        ("routes_service", "no", "must be true or false, without quotes"),
        ("interface", "eth0;reboot",
         "'eth0;reboot' is not an interface name; write one such as eth0 (15 letters, digits and _ . @ : + - at most)"),
        ("pod_idx", 0, "unknown key; did you mean pod_index? A key of your own would be x_pod_idx"),
        ("Pod-Index", 0, "unknown key; did you mean pod_index? A key of your own would be x_Pod-Index"),
        ("pod_cidr", "10.200.7.0/24", "unknown key; did you mean pod_cidrs? A key of your own would be x_pod_cidr"),
        ("interfaces", "eth0", "unknown key; did you mean interface? A key of your own would be x_interfaces"),
        ("manage_route", False,
         "unknown key; did you mean manage_routes? A key of your own would be x_manage_route"),
        ("internal_ip", "10.240.0.20",
         "unknown key; did you mean internal_ips? A key of your own would be x_internal_ip"),
    ],
)  # fmt: skip
def test_a_wrong_key_of_a_host_is_named_with_its_place(key: str, value: object, message: str) -> None:
    entry = host("worker-0", "10.240.0.20")
    data, problems = read_host(replace(entry, data={key: value}, holders={key: entry.holder}))
    assert data is None
    assert [str(problem) for problem in problems] == [f"hosts.yaml: worker-0: data.{key}: {message}"]


def test_a_wrong_value_is_reported_where_it_is_written() -> None:
    entry = host(
        "worker-0",
        groups=["workers", "rack-1"],
        group_data={"rack-1": {"interface": "eth 1"}},
        defaults={"routes_service": "no"},
        pod_index=-1,
    )
    _, problems = read_host(entry)
    assert {(problem.file, problem.host, problem.key) for problem in problems} == {
        ("hosts.yaml", "worker-0", "data.pod_index"),
        ("groups.yaml", "rack-1", "data.interface"),
        ("defaults.yaml", "defaults", "data.routes_service"),
    }


def test_keys_in_the_wrong_place() -> None:
    entry = host(
        "worker-0",
        group_data={"workers": {"pod_index": 0, "node_network": "10.240.0.0/24", "interface": "eth0"}},
        defaults={"internal_ips": "10.240.0.20", "service_cluster_ip_range": "10.32.0.0/24"},
        cluster_cidr="10.200.0.0/16",
    )
    data, problems = read_host(entry)
    assert data is not None
    assert sorted(str(problem) for problem in problems) == [
        "defaults.yaml: defaults: data.internal_ips: differs from host to host; write it on each host",
        "groups.yaml: workers: data.node_network: is the whole cluster's; write it below data in the defaults",
        "groups.yaml: workers: data.pod_index: differs from host to host; write it on each host",
        "hosts.yaml: worker-0: data.cluster_cidr: is the whole cluster's; write it below data in the defaults",
    ]


def test_keys_of_the_engineers_own_are_left_alone() -> None:
    own: dict[str, Any] = {
        "site": "b",
        "role": "worker",
        "vlan": 7,
        "rack": None,
        "subnet": "10.9.0.0/24",
        "router": "r1",
        "interfaces": [{"name": "eth0"}],
        "networks": {},
        "pod_network": "10.200.0.0/16",
        "cluster_id": 3,
        "pod": 4,
        "internal": True,
        "x_connection": "lxd",
        "x_": object(),
        "x_pod_index": "three",
    }
    entry = host("worker-0", pod_index=3, **own)
    data, problems = read_host(replace(entry, data={**entry.data, 7: 7}))
    assert problems == []
    assert data == HostData(pod_index=3)
    cluster, problems = read_cluster(
        {"cluster_cidr": "10.200.0.0/16", "node_network": "10.240.0.0/24", **own}, DEFAULTS_HOLDER
    )
    assert problems == []
    assert cluster is not None


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        ({}, ["cluster_cidr: is missing", "node_network: is missing"]),
        (
            {"cluster_cidr": None, "node_network": "10.240.0.1/24"},
            [
                "cluster_cidr: None is not a network; write it as text, such as 10.200.0.0/16",
                (
                    "node_network: '10.240.0.1/24' is not a network: it has host bits set; write 10.240.0.0/24, "
                    "or another mask"
                ),
            ],
        ),
        (
            {
                "cluster_cidr": "10.200.0.0/16",
                "node_network": "10.240.0.0/24",
                "node_cidr_mask_size": "24",
                "node_cidr_mask_size_ipv4": 33,
                "node_cidr_mask_size_ipv6": 0,
                "node_cidr_masksize": 24,
                "podcidr": "10.200.0.0/16",
            },
            [
                "node_cidr_mask_size: must be a whole number, without quotes",
                "node_cidr_mask_size_ipv4: must be at most 32",
                "node_cidr_mask_size_ipv6: must be at least 1",
                (
                    "node_cidr_masksize: unknown key; did you mean node_cidr_mask_size? A key of your own would be "
                    "x_node_cidr_masksize"
                ),
                "podcidr: unknown key; did you mean pod_cidrs? A key of your own would be x_podcidr",
            ],
        ),
    ],
)
def test_every_wrong_key_of_the_network_plan_is_listed(data: Mapping[str, Any], problems: list[str]) -> None:
    cluster, found = read_cluster(data, DEFAULTS_HOLDER)
    assert cluster is None
    assert [str(problem) for problem in found] == [f"defaults.yaml: defaults: data.{line}" for line in problems]


def test_keys_that_belong_to_hosts_may_stand_in_the_defaults() -> None:
    cluster, problems = read_cluster(
        {"cluster_cidr": "10.200.0.0/16", "node_network": "10.240.0.0/24", "interface": "eth1"}, DEFAULTS_HOLDER
    )
    assert cluster is not None
    assert problems == []


def test_typed_keys_do_not_change() -> None:
    with pytest.raises(AttributeError):
        HostData().pod_index = 1  # type: ignore[misc]
