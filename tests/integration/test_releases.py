"""One cluster of hosts that have different releases: oldest and newest tools and systemds side by side."""

from collections.abc import Iterator

import pytest

from lab import LabError
from lab.layout import RELEASES
from tests.integration.cluster import SCRIPT, Cluster, new_lab


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A controller of the oldest release, and a worker of each; `fresh` and `provisioned` are states of these."""
    with new_lab("-releases", controllers=1, workers=len(RELEASES), release=",".join(RELEASES)) as lab:
        yield Cluster(lab, tmp_path_factory.mktemp("releases"))


def _assert_all_is_well(cluster: Cluster) -> None:
    """Every host has its routes and says so itself, pods reach each other, and neither runbook finds anything to do."""
    for host in cluster.hosts:
        assert cluster.our_routes(host) == cluster.desired_routes(host)
    cluster.everywhere(lambda host: cluster.on(host, SCRIPT, "check"))
    cluster.everywhere(lambda host: cluster.on(host, "systemctl", "is-active", "routes.service"))
    cluster.assert_pods_are_reached()
    check = cluster.run("drift_check", "--ping")
    assert check.exit_code == 0, check.text
    assert check.hosts_that_are("ok") == set(cluster.hosts)
    again = cluster.provision()
    assert again.exit_code == 0, again.text
    assert again.hosts_that_are("ok") == set(cluster.hosts)
    assert "4 hosts: 4 ok, 0 changes" in again.stdout


def test_each_host_is_its_release_and_runs_what_every_host_of_the_lab_does(fresh: Cluster) -> None:
    names = fresh.everywhere(lambda host: fresh.shell(host, ". /etc/os-release; echo $VERSION_CODENAME").strip())
    assert names == dict(zip(fresh.hosts, (RELEASES[0], *RELEASES), strict=True))
    listing = ("systemctl", "list-units", "--plain", "--no-legend", "--type=service,timer")
    for host in fresh.hosts:
        assert fresh.on(host, "systemctl", "is-system-running") == "running\n"
        assert [line.split()[0] for line in fresh.on(host, *listing).splitlines()] == [
            "dbus.service",
            "ssh.service",
            "systemd-journald.service",
            "systemd-sysctl.service",
        ]


def test_a_lab_keeps_its_releases(cluster: Cluster) -> None:
    with pytest.raises(LabError, match="is there with another release: take it down first"):
        cluster.lab.up(release="trixie")


def test_all_are_provisioned_at_once_and_a_second_run_changes_nothing(fresh: Cluster) -> None:
    fresh.assert_pods_are_reached(all_of_them=False)

    run = fresh.provision()

    assert run.exit_code == 0, run.text
    assert run.hosts_that_are("changed") == set(fresh.hosts)
    _assert_all_is_well(fresh)


def test_drift_is_found_and_fixed(provisioned: Cluster) -> None:
    codes = {
        "drop-route": "route-missing",
        "forwarding-off": "forwarding-off",
        "stale-route": "route-stale",
        "unit-disabled": "unit-disabled",
        "unit-edited": "unit-edited",
    }
    for host in provisioned.hosts:
        for fault in codes:
            provisioned.lab.break_(host, fault)

    check = provisioned.run("drift_check")
    assert check.exit_code == 2
    for host in provisioned.hosts:
        found = {finding["code"] for finding in check.hosts[host]["findings"]}
        assert found >= set(codes.values()), check.text

    fixed = provisioned.run("drift_check", "--fix")
    assert fixed.exit_code == 0, fixed.text
    assert fixed.hosts_that_are("changed") == set(provisioned.hosts)
    _assert_all_is_well(provisioned)


def test_somebody_elses_unit_that_is_enabled_without_a_reload_is_no_drift(provisioned: Cluster) -> None:
    unit = "[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n"
    provisioned.everywhere(
        lambda host: provisioned.shell(
            host,
            f"printf '{unit}' >/etc/systemd/system/other.service; systemctl enable --quiet --no-reload other.service",
        )
    )

    _assert_all_is_well(provisioned)


def test_routes_outlive_a_reboot(provisioned: Cluster) -> None:
    provisioned.lab.reboot()

    _assert_all_is_well(provisioned)


def test_deprovision_leaves_hosts_as_they_were(fresh: Cluster) -> None:
    fresh.everywhere(fresh.leave_traces)
    before = fresh.take_snapshots()
    assert fresh.provision().exit_code == 0

    run = fresh.deprovision()

    assert run.exit_code == 0, run.text
    assert run.hosts_that_are("changed") == set(fresh.hosts)
    fresh.assert_unchanged(before)
    fresh.assert_pods_are_reached(all_of_them=False)
