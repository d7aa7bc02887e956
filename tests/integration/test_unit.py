"""`routes.service` under a real systemd: what it says when it fails, and that it tries again."""

import time

from tests.integration.cluster import UNIT, Cluster

DROP_IN = f"{UNIT}.d"
FAILS = (
    f"mkdir {DROP_IN}; "
    f"""printf '[Service]\nExecStartPre=/bin/sh -c "echo out of cheese >&2; exit 3"\n' >{DROP_IN}/fails.conf"""
)


def wait_until_active(cluster: Cluster, host: str) -> None:
    """It waits ten seconds between two attempts."""
    deadline = time.monotonic() + 60
    while cluster.on(host, "systemctl", "is-active", "routes.service", check=False) != "active\n":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_start_that_fails_says_why_on_the_first_run_and_on_the_next(fresh: Cluster) -> None:
    fresh.shell("worker-0", FAILS)

    for _ in range(2):
        run = fresh.provision("--limit", "worker-0")
        assert (run.exit_code, run.outcomes["worker-0"]) == (1, "failed")
        assert run.reason("worker-0") == "a change failed: start routes.service: out of cheese"
        assert "activating" in fresh.on("worker-0", "systemctl", "is-active", "routes.service", check=False)
    found = fresh.run("drift_check", "--limit", "worker-0")
    assert "routes.service: activating; expected: active" in found.stdout

    fresh.shell("worker-0", f"rm -r {DROP_IN}; systemctl daemon-reload")
    fixed = fresh.provision("--limit", "worker-0")
    assert fixed.exit_code == 0, fixed.text
    # However often it is started, that is no reason to refuse it the next time.
    fresh.shell("worker-0", "for _ in 1 2 3 4 5 6 7 8; do systemctl restart routes.service; done")


def test_an_address_that_comes_late_gets_its_routes(provisioned: Cluster) -> None:
    host = "worker-2"
    provisioned.shell(
        host,
        "ip address del 10.240.0.22/24 dev eth0; ! systemctl restart routes.service;"
        "ip address add 10.240.0.22/24 dev eth0",
    )
    wait_until_active(provisioned, host)
    assert provisioned.our_routes(host) == provisioned.desired_routes(host)
    assert provisioned.run("drift_check").exit_code == 0


def test_what_systemd_says_of_files_is_not_what_they_say(provisioned: Cluster) -> None:
    """A touched file, and one that systemd takes for changed as another unit was enabled without a reload, are ours."""
    provisioned.shell("worker-0", f"touch {UNIT}")
    provisioned.shell(
        "worker-1",
        "cd /etc/systemd/system; printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n'"
        " >other.service; systemctl enable --quiet --no-reload other.service",
    )
    assert provisioned.run("drift_check").hosts_that_are("ok") == set(provisioned.hosts)
    assert provisioned.provision().hosts_that_are("ok") == set(provisioned.hosts)


def test_a_stop_that_fails_is_told_and_leaves_nothing(provisioned: Cluster) -> None:
    provisioned.shell("worker-0", "echo garbage >/run/kubernetes-routes/applied")

    run = provisioned.deprovision("--limit", "worker-0")

    assert run.exit_code == 0, run.text
    assert "routes.service failed as it was stopped: " in run.stdout
    assert "applied:1: " in run.stdout
    assert provisioned.on("worker-0", "systemctl", "list-units", "--all", "--no-legend", "routes.service") == ""
    assert provisioned.our_routes("worker-0") == []
    assert provisioned.deprovision("--limit", "worker-0").outcomes == {"worker-0": "ok"}


def test_a_unit_that_failed_and_lost_its_file_is_not_clean(provisioned: Cluster) -> None:
    provisioned.shell(
        "worker-1",
        f"echo garbage >/run/kubernetes-routes/applied; systemctl stop routes.service; rm {UNIT};"
        "systemctl daemon-reload",
    )
    assert "failed" in provisioned.on("worker-1", "systemctl", "is-failed", "routes.service")
    run = provisioned.deprovision("--limit", "worker-1")
    assert run.exit_code == 0, run.text
    assert ("routes_service", "disable", "routes.service") in run.changes("worker-1")
    assert provisioned.on("worker-1", "systemctl", "list-units", "--all", "--no-legend", "routes.service") == ""
    assert provisioned.on("worker-1", "find", "/etc/systemd/system", "-name", "routes.service") == ""


def test_what_an_interrupted_write_left_goes_with_the_next_run(fresh: Cluster) -> None:
    first, second = "/etc/kubernetes-routes/.forwarding.before.new", "/etc/systemd/system/.routes.service.new"
    fresh.shell("worker-0", f"mkdir -p /etc/kubernetes-routes; : >{first}")
    fresh.shell("worker-1", f": >{second}")

    assert fresh.deprovision("--limit", "worker-0").changes("worker-0") == [("forwarding", "remove", first)]
    assert fresh.deprovision("--limit", "worker-0").outcomes == {"worker-0": "ok"}
    assert ("routes_service", "remove", second) in fresh.provision("--limit", "worker-1").changes("worker-1")
    assert fresh.on("worker-0", "find", "/etc", "-name", ".forwarding*") == ""
    assert fresh.on("worker-1", "find", "/etc", "-name", ".routes*") == ""
