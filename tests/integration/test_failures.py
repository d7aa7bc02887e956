"""Hosts that fail: each with its own outcome and reason, none in the way of the others, in bounded time."""

import subprocess
import time

from lab import enter
from tests.integration.cluster import HOST_LOCK, SCRIPT, UNIT, Cluster


def test_one_down_one_without_sudo_one_frozen_and_three_done(fresh: Cluster) -> None:
    inventory = fresh.inventory()
    inventory.set_timeouts()
    fresh.lab.break_("controller-0", "host-down")
    fresh.lab.break_("worker-0", "sudo-refused")
    fresh.lab.break_("worker-1", "frozen")

    run = fresh.provision(inventory=inventory)

    assert run.exit_code == 1
    assert run.outcomes == {
        "controller-0": "unreachable",
        "controller-1": "changed",
        "controller-2": "changed",
        "worker-0": "failed",
        "worker-1": "unreachable",
        "worker-2": "changed",
    }
    assert run.hosts["controller-0"]["error"] == "UnreachableError"
    assert "may not become root without a password" in run.reason("worker-0")
    assert "no SSH server answered within 2.0 s" in run.reason("worker-1")
    for host in ("controller-0", "worker-0", "worker-1"):
        assert run.reason(host) in run.stdout
    assert "6 hosts: 3 changed, 1 failed, 2 unreachable" in run.stdout
    for host in ("controller-1", "controller-2", "worker-2"):
        assert fresh.our_routes(host) == fresh.desired_routes(host)

    fresh.lab.repair()
    fixed = fresh.provision()
    assert fixed.exit_code == 0, fixed.text
    assert fixed.hosts_that_are("changed") == {"controller-0", "worker-0", "worker-1"}
    fresh.assert_pods_are_reached()


def test_ctrl_c_leaves_a_true_partial_report_and_a_second_run_has_to_wait(fresh: Cluster) -> None:
    inventory = fresh.inventory()
    inventory.set_timeouts(banner_timeout=600.0)
    inventory.config["runner"] = {"plugin": "interruptible_threads", "options": {"num_workers": 1, "grace": 1.0}}
    config = fresh.write(inventory)
    fresh.lab.break_("controller-2", "frozen")
    before = fresh.connections()

    with fresh.start("provision", "--yes", inventory=config) as first:
        first.wait_for("[2/6] controller-1 changed")
        # The third host, whose kernel accepts the connection and whose server never answers.
        while (connections := fresh.connections())["controller-2"] == before["controller-2"]:
            time.sleep(0.05)

        second = fresh.provision(inventory=config)

        assert second.exit_code == 75
        assert second.stderr.startswith("another run holds the lock")
        assert str(first.process.pid) in second.stderr
        assert "nothing was touched" in second.stderr
        assert fresh.connections() == connections

        first.interrupt()
        run = first.finish()

    assert run.exit_code == 1
    assert run.report["interrupted"] is True
    assert "(interrupted)" in run.stdout
    assert run.outcomes == {
        "controller-0": "changed",
        "controller-1": "changed",
        "controller-2": "failed",
        "worker-0": "skipped",
        "worker-1": "skipped",
        "worker-2": "skipped",
    }
    assert "interrupted while its task was running" in run.reason("controller-2")
    assert "nothing was done" in run.reason("worker-0")
    for host in ("controller-0", "controller-1"):
        assert fresh.our_routes(host) == fresh.desired_routes(host)
    for host in ("worker-0", "worker-1", "worker-2"):
        assert fresh.our_routes(host) == []


def test_a_step_that_fails_is_named_and_the_next_run_goes_on_from_there(fresh: Cluster) -> None:
    fresh.shell("worker-0", "mount --bind /etc/systemd /etc/systemd; mount -o remount,bind,ro /etc/systemd")
    fresh.shell("worker-1", "mount -t tmpfs -o size=4k tmpfs /usr/local/sbin")

    run = fresh.provision("--limit", "workers")

    assert run.exit_code == 1
    assert run.outcomes == {"worker-0": "failed", "worker-1": "failed", "worker-2": "changed"}
    assert f"write {UNIT}" in run.reason("worker-0")
    assert "Read-only file system" in run.reason("worker-0")
    assert f"write {SCRIPT}" in run.reason("worker-1")
    assert "No space left on device" in run.reason("worker-1")
    # Nothing half written stays.
    assert fresh.on("worker-1", "ls", "-A", "/usr/local/sbin") == ""
    for host in ("worker-0", "worker-1"):
        assert fresh.our_routes(host) in ([], fresh.desired_routes(host))

    fresh.shell("worker-0", "umount /etc/systemd")
    fresh.shell("worker-1", "umount /usr/local/sbin")
    fixed = fresh.provision("--limit", "workers")
    assert fixed.exit_code == 0
    assert fixed.outcomes == {"worker-0": "changed", "worker-1": "changed", "worker-2": "ok"}
    for host in ("worker-0", "worker-1"):
        assert fresh.on(host, "systemctl", "is-enabled", "routes.service") == "enabled\n"


def test_a_host_that_another_run_is_changing_is_left_alone(fresh: Cluster) -> None:
    argv = enter.host_argv(fresh.lab.paths.host("worker-0"), ["flock", HOST_LOCK, "sh", "-c", "echo locked; cat"])
    with subprocess.Popen(
        argv, env=enter.host_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        before = fresh.take_snapshots(["worker-0"])

        run = fresh.provision("--limit", "workers")

        fresh.assert_unchanged(before)
        other.communicate("")
    assert run.exit_code == 1
    assert run.outcomes == {"worker-0": "failed", "worker-1": "changed", "worker-2": "changed"}
    assert "another run is changing this host; nothing was changed" in run.reason("worker-0")
