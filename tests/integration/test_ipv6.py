"""Clusters with both families: everything that holds for IPv4 holds for IPv6."""

from collections.abc import Iterator

import pytest

from tests.integration.cluster import Cluster, assert_own_pod_cidrs_are_local, new_lab

ALL_SIX = "net.ipv6.conf.all.forwarding"


@pytest.fixture
def dual_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A controller and two workers with addresses of both families."""
    with new_lab("-ipv6", controllers=1, workers=2, ipv6=True) as lab:
        yield Cluster(lab, tmp_path_factory.mktemp("operator-ipv6"))


def test_both_families_are_provisioned_kept_and_removed(dual_stack: Cluster) -> None:
    # A router's advertisements give the controller a route; forwarding would make its kernel stop listening to them.
    dual_stack.shell("controller-0", "ip -6 route add default via fd00:240::1 dev eth0 proto ra metric 1024")
    dual_stack.everywhere(
        lambda host: dual_stack.shell(
            host,
            "umask 077; >>/run/pod-routes.lock; systemctl start network-online.target; rmdir /etc/kubernetes-routes",
        )
    )
    before = dual_stack.take_snapshots()
    dual_stack.assert_pods_are_reached(all_of_them=False)

    run = dual_stack.provision()

    assert run.exit_code == 0, run.text

    def assert_provisioned() -> None:
        assert dual_stack.our_routes("worker-0") == [
            "10.200.1.0/24 via 10.240.0.21 dev eth0",
            "fd00:200:0:1::/64 via fd00:240::21 dev eth0 metric 1024 pref medium",
        ]
        for host in dual_stack.hosts:
            assert dual_stack.on(host, "sysctl", "-n", "net.ipv4.ip_forward", ALL_SIX) == "1\n1\n"
        assert [matrix.version for matrix in dual_stack.pings()] == [4, 6]
        dual_stack.assert_pods_are_reached()
        assert_own_pod_cidrs_are_local(dual_stack)

    assert_provisioned()
    assert dual_stack.on("controller-0", "sysctl", "-n", "net.ipv6.conf.eth0.accept_ra") == "2\n"
    assert dual_stack.on("worker-0", "sysctl", "-n", "net.ipv6.conf.eth0.accept_ra") == "1\n"
    assert dual_stack.provision().hosts_that_are("ok") == set(dual_stack.hosts)

    for fault in ("link-bounced", "forwarding-off"):
        dual_stack.lab.break_("worker-0", fault)
    repaired = dual_stack.provision()
    assert repaired.exit_code == 0, repaired.text
    assert repaired.hosts_that_are("changed") == {"worker-0"}
    assert_provisioned()

    removed = dual_stack.deprovision()
    assert removed.exit_code == 0, removed.text
    dual_stack.assert_unchanged(before)

    assert dual_stack.provision().exit_code == 0
    dual_stack.lab.reboot()
    assert_provisioned()
    assert dual_stack.provision().hosts_that_are("ok") == set(dual_stack.hosts)
