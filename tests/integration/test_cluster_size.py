"""Clusters that shrink and grow, and ranges of other sizes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cluster import DATA, Cluster, assert_own_pod_cidrs_are_local, new_lab


def test_routes_to_a_worker_that_left_are_gone_everywhere(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    del inventory.hosts["worker-2"]
    left = [host for host in provisioned.hosts if host != "worker-2"]

    run = provisioned.provision(inventory=inventory)

    assert run.exit_code == 0, run.text
    for host in left:
        assert ("routes", "remove", "10.200.2.0/24") in run.changes(host)
        assert "10.200.2.0" not in provisioned.on(host, "cat", DATA)

    def assert_gone() -> None:
        for host in left:
            assert provisioned.our_routes(host) == provisioned.desired_routes(host, ["worker-0", "worker-1"])

    assert_gone()
    assert provisioned.provision(inventory=inventory).hosts_that_are("ok") == set(left)
    provisioned.lab.reboot(left)
    assert_gone()


def test_a_smaller_range_keeps_pods_connected_and_another_one_replaces_it_all(provisioned: Cluster) -> None:
    smaller = provisioned.inventory()
    smaller.defaults["data"]["cluster_cidr"] = "10.200.0.0/22"

    run = provisioned.provision(inventory=smaller)

    assert run.exit_code == 0, run.text
    provisioned.assert_pods_are_reached()
    assert "cluster 10.200.0.0/22\n" in provisioned.on("worker-0", "cat", DATA)

    other = provisioned.inventory()
    other.defaults["data"] |= {"cluster_cidr": "172.16.0.0/12", "node_cidr_mask_size": 22}
    run = provisioned.provision(inventory=other)
    assert run.exit_code == 0, run.text
    # Number 2 of the /22 networks of that range; and none of the range before.
    assert provisioned.our_routes("worker-0") == [
        "172.16.4.0/22 via 10.240.0.21 dev eth0",
        "172.16.8.0/22 via 10.240.0.22 dev eth0",
    ]
    assert provisioned.provision(inventory=other).hosts_that_are("ok") == set(provisioned.hosts)


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Cluster]:
    """A lab that may grow, of one controller and two workers."""
    with new_lab("-grow", controllers=1, workers=2) as lab:
        yield Cluster(lab, tmp_path)


def test_grows_to_twelve_workers(growing: Cluster) -> None:
    assert growing.provision().exit_code == 0
    growing.lab.up(workers=12)

    run = growing.provision()

    assert run.exit_code == 0, run.text
    assert len(run.hosts) == 13
    growing.assert_pods_are_reached()
    # The numbers 10 and 11 are arithmetic and not text: 10.240.0.2X would have made .210 of the first.
    assert growing.our_routes("controller-0")[10:] == [
        "10.200.10.0/24 via 10.240.0.30 dev eth0",
        "10.200.11.0/24 via 10.240.0.31 dev eth0",
    ]
    assert growing.provision().hosts_that_are("ok") == set(growing.hosts)
    assert_own_pod_cidrs_are_local(growing)
