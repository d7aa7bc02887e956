import json
from ipaddress import IPv4Network, ip_interface
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import LabError
from lab.layout import MAX_HOSTS, RELEASES, Layout


def test_default_lab_has_the_addresses_of_the_guide() -> None:
    assert [(host.name, str(host.address), str(host.pod_cidr)) for host in Layout().hosts] == [
        ("controller-0", "10.240.0.10/24", "None"),
        ("controller-1", "10.240.0.11/24", "None"),
        ("controller-2", "10.240.0.12/24", "None"),
        ("worker-0", "10.240.0.20/24", "10.200.0.0/24"),
        ("worker-1", "10.240.0.21/24", "10.200.1.0/24"),
        ("worker-2", "10.240.0.22/24", "10.200.2.0/24"),
    ]


@pytest.mark.parametrize(
    ("size", "host", "addresses", "pods"),
    [
        ({"workers": 100}, "worker-99", ["10.240.0.119/24"], ["10.200.99.2"]),
        ({"workers": 300, "node_network": "10.240.0.0/22"}, "worker-236", ["10.240.1.0/22"], ["10.200.236.2"]),
        ({"workers": 300, "node_network": "10.240.0.0/22"}, "worker-299", ["10.240.1.63/22"], ["10.201.43.2"]),
        ({"ipv6": True}, "controller-1", ["10.240.0.11/24", "fd00:240::11/64"], []),
        (
            {"ipv6": True, "workers": 90},
            "worker-80",
            ["10.240.0.100/24", "fd00:240::100/64"],
            ["10.200.80.2", "fd00:200:0:50::2"],
        ),
    ],
)
def test_addresses(size: dict[str, Any], host: str, addresses: list[str], pods: list[str]) -> None:
    found = Layout(**size).host(host)
    assert [str(address) for address in found.addresses] == addresses
    assert [str(address) for address in found.pod_addresses] == pods


@pytest.mark.parametrize(("workers", "cidr"), [(1, "10.200.0.0/16"), (256, "10.200.0.0/16"), (257, "10.200.0.0/15")])
def test_pod_network_grows_with_the_workers(workers: int, cidr: str) -> None:
    assert Layout(workers=workers, node_network="10.240.0.0/22").cluster_cidr == IPv4Network(cidr)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"workers": 236}, "do not fit in the node network"),
        ({"workers": MAX_HOSTS + 1}, "too many for one computer"),
        ({"workers": -1}, "at least one host"),
        ({"controllers": 0, "workers": 0}, "at least one host"),
        ({"controllers": 11}, "--controllers must be 0 to 10"),
        ({"node_network": "10.240.0.0/28"}, "do not fit in the node network"),
        ({"node_network": "10.240.0.0/28", "workers": 0, "controllers": 8}, "do not fit in the node network"),
        ({"node_network": "10.240.0.1/24"}, "host bits set"),
        ({"node_network": "fd00::/64"}, "--node-network fd00::/64"),
        ({"node_network": "10.200.9.0/24"}, "overlaps the pod network"),
        ({"node_network": "10.32.0.0/16"}, "overlaps the service network"),
        ({"release": "buster"}, "--release 'buster': there are bullseye, bookworm, trixie$"),
        ({"release": "trixie,"}, "--release '': there are"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(size: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message) as caught:
        Layout(**size)
    assert "\n" not in str(caught.value)
    assert caught.value.status == 64


def test_235_workers_fit_in_a_24() -> None:
    assert str(Layout(workers=235).host("worker-234").address.ip) == "10.240.0.254"


def test_unknown_host_names_those_there_are() -> None:
    with pytest.raises(LabError, match="it has controller-0, worker-0 to worker-2"):
        Layout(controllers=1).host("worker-3")


@settings(max_examples=20, deadline=None)
@given(
    controllers=st.integers(1, 10),
    workers=st.integers(0, 390),
    ipv6=st.booleans(),
)
def test_no_two_hosts_share_anything(controllers: int, workers: int, ipv6: bool) -> None:
    layout = Layout(controllers=controllers, workers=workers, ipv6=ipv6, node_network="10.240.0.0/22")
    gateways = {str(address.ip) for address in layout.gateway}
    for values in (
        [str(address.ip) for host in layout.hosts for address in host.addresses],
        [str(cidr) for host in layout.hosts for cidr in host.pod_cidrs],
        [host.mac for host in layout.hosts],
        [host.port for host in layout.hosts],
    ):
        assert len(set(values)) == len(values)
        assert not gateways & set(values)
    assert all(len(host.port) <= 15 for host in layout.hosts)
    assert all(host.address in layout.network for host in layout.hosts)
    assert all(host.pod_cidr.subnet_of(layout.cluster_cidr) for host in layout.hosts if host.pod_cidr is not None)


def test_controllers_take_releases_in_turn_and_workers_likewise() -> None:
    def taken(controllers: int, workers: int) -> dict[str, str | None]:
        layout = Layout(controllers, workers, release="trixie,bullseye")
        return {host.name: host.release for host in layout.hosts}

    small = taken(1, 3)
    assert small == {"controller-0": "trixie", "worker-0": "trixie", "worker-1": "bullseye", "worker-2": "trixie"}
    # Hosts that are added change nothing for those that are there.
    assert small.items() < taken(3, 4).items()


def test_without_a_release_hosts_have_the_computers_own_system() -> None:
    assert {host.release for host in Layout().hosts} == {None}


@given(
    st.integers(1, 10),
    st.integers(0, 200),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(RELEASES)).map(",".join),
)
def test_survives_being_written_down(controllers: int, workers: int, ipv6: bool, pods: bool, release: str) -> None:
    layout = Layout(controllers=controllers, workers=workers, ipv6=ipv6, pods=pods, release=release)
    assert Layout(**json.loads(json.dumps(layout.as_dict()))) == layout


def test_hosts_file_names_every_address() -> None:
    assert Layout(controllers=1, workers=1, ipv6=True).hosts_file == (
        "10.240.0.10\tcontroller-0\nfd00:240::10\tcontroller-0\n10.240.0.20\tworker-0\nfd00:240::20\tworker-0\n"
    )


def test_gateway_is_the_first_address() -> None:
    assert Layout(ipv6=True).gateway == [ip_interface("10.240.0.1/24"), ip_interface("fd00:240::1/64")]
