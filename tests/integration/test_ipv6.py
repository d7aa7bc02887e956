"""Clusters with both families: everything that holds for IPv4 holds for IPv6."""

from collections.abc import Iterator

import pytest

from tests.integration.cluster import Cluster, assert_own_pod_cidrs_are_local, new_lab


@pytest.fixture
def dual_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A controller and two workers with addresses of both families."""
    with new_lab("-ipv6", controllers=1, workers=2, ipv6=True) as lab:
        yield Cluster(lab, tmp_path_factory.mktemp("operator-ipv6"))


def test_both_families_are_provisioned_kept_and_removed(dual_stack: Cluster) -> None:
    dual_stack.everywhere(dual_stack.leave_traces)
    before = dual_stack.take_snapshots()
    dual_stack.assert_pods_are_reached(all_of_them=False)

    run = dual_stack.provision()

    assert run.exit_code == 0, run.text
    assert_provisioned(dual_stack)
    dual_stack.lab.reboot()
    assert_provisioned(dual_stack)

    # A router's advertisement gives a host a route, as it does soon after a boot: a host that forwards packets goes on
    # listening to routers only with accept_ra=2.
    dual_stack.shell("controller-0", "ip -6 route add default via fd00:240::1 dev eth0 proto ra metric 1024")
    for fault in ("link-bounced", "forwarding-off"):
        dual_stack.lab.break_("worker-0", fault)
    repaired = dual_stack.provision()
    assert repaired.exit_code == 0, repaired.text
    assert repaired.hosts_that_are("changed") == {"controller-0", "worker-0"}
    assert_provisioned(dual_stack)
    accept_ra = "net.ipv6.conf.eth0.accept_ra"
    assert dual_stack.on("controller-0", "sysctl", "-n", accept_ra) == "2\n"
    assert dual_stack.on("worker-0", "sysctl", "-n", accept_ra) == "1\n"
    assert dual_stack.provision().hosts_that_are("ok") == set(dual_stack.hosts)

    removed = dual_stack.deprovision()
    assert removed.exit_code == 0, removed.text
    dual_stack.shell("controller-0", "ip -6 route del default proto ra")
    dual_stack.assert_unchanged(before, reboots=True)


def assert_provisioned(cluster: Cluster) -> None:
    assert cluster.our_routes("worker-0") == [
        "10.200.1.0/24 via 10.240.0.21 dev eth0",
        "fd00:200:0:1::/64 via fd00:240::21 dev eth0 metric 1024 pref medium",
    ]
    for host in cluster.hosts:
        keys = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
        assert cluster.on(host, "sysctl", "-n", *keys) == "1\n1\n"
    assert [matrix.version for matrix in cluster.pings()] == [4, 6]
    cluster.assert_pods_are_reached()
    assert_own_pod_cidrs_are_local(cluster)
