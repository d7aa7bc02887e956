"""Fixing: what the check found and nothing else, and only as it was found."""

from tests.integration.cluster import Cluster

# No SSH server answers a frozen host's connection: the check of it takes as long as this.
SECONDS = 5.0


def test_a_host_that_drifts_on_between_check_and_fixing_is_left_alone(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts(banner_timeout=SECONDS)
    provisioned.lab.break_("worker-0", "drop-route")
    provisioned.lab.break_("worker-1", "drop-route")
    provisioned.lab.break_("controller-0", "frozen")

    with provisioned.start("drift_check", "--fix", inventory=inventory) as running:
        running.wait_for("[5/6]")
        provisioned.lab.break_("worker-1", "stale-route")
        before = provisioned.take_snapshots(["worker-1", "worker-2"], own_layer=True)
        run = running.finish()

    assert run.exit_code == 1
    assert run.outcomes["worker-0"] == "changed"
    assert run.outcomes["worker-1"] == "failed"
    assert "it has changed since the changes were shown: nothing was done" in run.reason("worker-1")
    assert [finding["code"] for finding in run.hosts["worker-1"]["findings"]] == [
        "route-missing",
        "unit-without-routes",
    ]
    provisioned.assert_unchanged(before)
    assert provisioned.our_routes("worker-0") == provisioned.desired_routes("worker-0")
    # What was not known was not touched, and is not clean.
    assert run.outcomes["controller-0"] == "unreachable"
    provisioned.lab.repair(["controller-0"])

    again = provisioned.run("drift_check", "--fix")
    assert again.exit_code == 0, again.text
    assert again.outcomes["worker-1"] == "changed"
    assert provisioned.our_routes("worker-1") == provisioned.desired_routes("worker-1")


def test_ctrl_c_while_reading_changes_nothing_and_leaves_a_true_report(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts(banner_timeout=600.0)
    inventory.config["runner"] = {"plugin": "interruptible_threads", "options": {"num_workers": 6, "grace": 0.5}}
    provisioned.lab.break_("worker-0", "drop-route")
    before = provisioned.take_snapshots(["worker-0"], own_layer=True)
    provisioned.lab.break_("controller-0", "frozen")

    with provisioned.start("drift_check", "--fix", "--ping", inventory=inventory) as running:
        running.wait_for("[5/6]")
        running.interrupt()
        run = running.finish()

    provisioned.lab.repair(["controller-0"])
    assert run.exit_code == 1
    assert run.report["interrupted"] is True
    assert run.outcomes["worker-0"] == "drift"
    assert run.outcomes["controller-0"] == "failed"
    assert {one["ping"] for one in run.report["directions"]} == {""}
    assert "fix" not in run.stderr
    assert "(interrupted)" in run.stdout
    provisioned.assert_unchanged(before)


def test_a_connection_and_two_commands_more_where_something_is_fixed(provisioned: Cluster) -> None:
    provisioned.lab.break_("worker-0", "drop-route")
    provisioned.lab.break_("worker-0", "forwarding-off")
    before = provisioned.connections()

    run = provisioned.run("drift_check", "--fix")

    assert run.exit_code == 0
    assert {host: run.hosts[host]["commands"] for host in provisioned.hosts} == {
        host: 3 if host == "worker-0" else 1 for host in provisioned.hosts
    }
    assert provisioned.connections() == {
        host: number + (2 if host == "worker-0" else 1) for host, number in before.items()
    }
    # The report has what was found, and what was done about it.
    found = run.hosts["worker-0"]
    assert [finding["code"] for finding in found["findings"]] == [
        "forwarding-off",
        "route-missing",
        "unit-without-routes",
    ]
    assert run.changes("worker-0") == [
        ("forwarding", "set", "net.ipv4.ip_forward"),
        ("routes", "add", "10.200.1.0/24"),
    ]
    assert "6 hosts: 5 ok, 1 changed, 3 findings, 2 changes" in run.stdout
