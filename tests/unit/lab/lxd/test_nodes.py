from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError
from lab.lxd import nodes

NETWORK = IPv4Network("10.0.2.0/24")


def test_the_guides_containers() -> None:
    names = nodes.names(3, 3, haproxy=True)
    found = [nodes.node(name, NETWORK) for name in names]
    assert [(one.name, str(one.address), str(one.pod_cidr), str(one.pod_address)) for one in found] == [
        ("controller-0", "10.0.2.10", "None", "None"),
        ("controller-1", "10.0.2.11", "None", "None"),
        ("controller-2", "10.0.2.12", "None", "None"),
        ("worker-0", "10.0.2.20", "10.200.0.0/24", "10.200.0.2"),
        ("worker-1", "10.0.2.21", "10.200.1.0/24", "10.200.1.2"),
        ("worker-2", "10.0.2.22", "10.200.2.0/24", "10.200.2.2"),
        ("haproxy", "None", "None", "None"),
    ]


def test_beside_other_hosts_workers_are_counted_from_another_number() -> None:
    assert nodes.names(0, 2, haproxy=False, first_worker=3) == ["worker-3", "worker-4"]
    assert str(nodes.node("worker-3", NETWORK).address) == "10.0.2.23"


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"controllers": 0, "workers": 0, "haproxy": True}, "must not both be 0"),
        ({"controllers": 11, "workers": 0, "haproxy": True}, "at most 10"),
        ({"controllers": 0, "workers": -1, "haproxy": True}, "not -1"),
        ({"controllers": 0, "workers": 1, "haproxy": True, "first_worker": -1}, "from -1 on"),
        ({"controllers": 0, "workers": 1, "haproxy": True, "first_worker": 200}, "at most 200"),
    ],
)
def test_what_cannot_be_built(size: dict[str, int], message: str) -> None:
    with pytest.raises(LabError, match=message):
        nodes.names(**size)  # type: ignore[arg-type]


def test_no_room_in_the_node_network() -> None:
    with pytest.raises(LabError, match="worker-11 does not fit in the node network"):
        nodes.node("worker-11", IPv4Network("10.0.2.0/27"))
    assert str(nodes.node("worker-10", IPv4Network("10.0.2.0/27")).address) == "10.0.2.30"


@pytest.mark.parametrize("name", ["worker", "worker-", "worker--1", "worker-1000", "haproxy-0", "pod-0", ""])
def test_no_such_name(name: str) -> None:
    with pytest.raises(ValueError, match="is no container's name"):
        nodes.node(name, NETWORK)


def test_as_a_host_of_the_lab() -> None:
    host = nodes.node("worker-2", NETWORK).as_host(NETWORK)
    assert (host.name, host.role, host.index, str(host.address), host.interface) == (
        "worker-2",
        "worker",
        2,
        "10.0.2.22/24",
        "eth1",
    )
    with pytest.raises(LabError, match="haproxy is not on the node network"):
        nodes.node("haproxy", NETWORK).as_host(NETWORK)


@given(controllers=st.integers(1, 10), workers=st.integers(0, 100), first=st.integers(0, 100), data=st.data())
def test_order_is_that_of_names_and_addresses_are_never_the_same(
    controllers: int, workers: int, first: int, data: st.DataObject
) -> None:
    names = nodes.names(controllers, workers, haproxy=True, first_worker=first)
    shuffled = data.draw(st.permutations(names))
    assert nodes.in_order([*shuffled, *shuffled]) == names
    addresses = [nodes.node(name, NETWORK).address for name in names]
    assert len(set(addresses)) == len(names)
