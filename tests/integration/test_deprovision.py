"""Deprovisioning: hosts are as if they had never been provisioned."""

from tests.integration.cluster import Cluster


def test_deprovision_leaves_hosts_as_they_were_byte_for_byte(fresh: Cluster) -> None:
    fresh.everywhere(fresh.leave_traces)
    # One host had forwarding on before, and one ignored redirects: both have to stay so.
    fresh.shell("controller-0", "sysctl -q -w net.ipv4.ip_forward=1")
    fresh.shell("worker-0", "sysctl -q -w net.ipv4.conf.all.accept_redirects=0")
    before = fresh.take_snapshots()
    assert fresh.provision().exit_code == 0
    # And on one the unit has failed since.
    fresh.shell("worker-1", "echo garbage >/run/kubernetes-routes/applied; systemctl stop routes.service")
    provisioned = fresh.take_snapshots()

    dry = fresh.deprovision("--dry-run", "--diff")
    assert dry.exit_code == 0
    assert dry.hosts_that_are("changed") == set(fresh.hosts)
    fresh.assert_unchanged(provisioned)

    run = fresh.deprovision()
    assert run.exit_code == 0, run.text
    assert {host: run.hosts[host]["changes"] for host in fresh.hosts} == {
        host: dry.hosts[host]["changes"] for host in fresh.hosts
    }
    fresh.assert_unchanged(before)

    again = fresh.deprovision()
    assert again.exit_code == 0
    assert again.hosts_that_are("ok") == set(fresh.hosts)
    assert "0 changes" in again.stdout
    fresh.assert_unchanged(before)
    fresh.assert_pods_are_reached(all_of_them=False)


def test_forwarding_that_somebody_else_wants_stays_on(fresh: Cluster) -> None:
    assert fresh.provision("--limit", "worker-0").exit_code == 0
    # As a CNI plugin's package would, after we came.
    fresh.shell("worker-0", "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/10-cni.conf")

    run = fresh.deprovision("--limit", "worker-0")

    assert run.exit_code == 0
    assert "net.ipv4.ip_forward stays 1: /etc/sysctl.d/10-cni.conf sets it at boot" in run.stdout
    assert fresh.on("worker-0", "sysctl", "-n", "net.ipv4.ip_forward") == "1\n"
