"""Provisioning: pods that could not reach one another do, and go on doing so."""

from tests.integration.cluster import DATA, SCRIPT, SYSCTL, UNIT, Cluster


def test_pods_reach_each_other_after_provisioning_and_not_before(fresh: Cluster) -> None:
    fresh.assert_pods_are_reached(all_of_them=False)

    run = fresh.provision()

    assert run.exit_code == 0
    assert run.hosts_that_are("changed") == set(fresh.hosts)
    for host in fresh.hosts:
        assert fresh.our_routes(host) == fresh.desired_routes(host)
    fresh.assert_pods_are_reached()


def test_second_run_changes_nothing_with_one_connection_and_one_command_a_host(provisioned: Cluster) -> None:
    provisioned.log_every_session()
    before, connections, files = provisioned.commands(), provisioned.connections(), provisioned.take_snapshots()
    run = provisioned.provision()

    assert run.exit_code == 0
    assert run.hosts_that_are("ok") == set(provisioned.hosts)
    assert "6 hosts: 6 ok, 0 changes" in run.stdout
    provisioned.assert_unchanged(files)
    assert provisioned.commands() == {
        host: (sessions + 1, commands + 1) for host, (sessions, commands) in before.items()
    }
    assert provisioned.connections() == {host: number + 1 for host, number in connections.items()}


def test_dry_run_shows_every_change_and_writes_nothing(fresh: Cluster) -> None:
    before = fresh.take_snapshots()

    dry = fresh.provision("--dry-run", "--diff")

    fresh.assert_unchanged(before)
    assert dry.exit_code == 0
    for host in fresh.hosts:
        for path in (SCRIPT, UNIT, DATA, SYSCTL):
            assert ("write", path) in [(action, subject) for _, action, subject in dry.changes(host)]
    assert dry.stdout.count("6 would change") == 1
    assert dry.stdout.endswith("dry run, nothing was changed\n")
    for line in (
        "10.200.1.0/24 via 10.240.0.21 dev eth0",  # a route
        "net.ipv4.ip_forward",
        "route 10.200.2.0/24 via 10.240.0.22 dev eth0",  # the routes' file
        "ExecStart=/usr/local/sbin/basic-kubernetes-routes.sh add",
    ):
        assert line in dry.stdout

    # What it showed is what is then done.
    applied = fresh.provision()
    assert applied.exit_code == 0
    for host in fresh.hosts:
        assert applied.hosts[host]["changes"] == dry.hosts[host]["changes"]


def test_routes_and_forwarding_outlive_a_reboot_of_every_host(provisioned: Cluster) -> None:
    provisioned.lab.reboot()

    provisioned.assert_pods_are_reached()
    for host in provisioned.hosts:
        assert provisioned.our_routes(host) == provisioned.desired_routes(host)
        assert provisioned.on(host, "sysctl", "-n", "net.ipv4.ip_forward") == "1\n"
    run = provisioned.provision()
    assert run.exit_code == 0
    assert run.hosts_that_are("ok") == set(provisioned.hosts)
