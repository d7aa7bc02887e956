"""A check as a run: what it costs, what it leaves alone, how it ends, how much of the cluster it knows."""

import json
import re

from tests.integration.cluster import Cluster, Run, check_report
from tests.integration.terminal import Terminal

PERFORMANCE = re.compile(
    r"checked=(\d+);;;0;6 unknown=(\d+);;;0;6 findings=(\d+);0;;0 cut=(\d+);;0;0;15 time=[0-9.]+s;;;0"
)


def test_a_check_costs_a_connection_and_a_command_a_host_and_a_ping_one_more(provisioned: Cluster) -> None:
    provisioned.log_every_session()
    files = provisioned.take_snapshots()
    for options, commands in (
        (["--exit-style", "nagios"], dict.fromkeys(provisioned.hosts, 1)),
        (["--ping"], _with_pings(provisioned)),
    ):
        connections, before = provisioned.connections(), provisioned.commands()
        run = provisioned.run("drift_check", *options)
        assert run.exit_code == 0
        assert run.stdout.startswith("POD ROUTES OK - checked 6 of 6; no drift | ") == ("nagios" in options)
        assert {host["host"]: host["commands"] for host in run.report["hosts"]} == commands
        assert provisioned.commands() == {
            host: (sessions + commands[host], sudos + commands[host]) for host, (sessions, sudos) in before.items()
        }
        # Each round is a connection of its own, so that no host holds one while others are slow.
        assert provisioned.connections() == {host: number + commands[host] for host, number in connections.items()}
    provisioned.assert_unchanged(files)


def _with_pings(cluster: Cluster) -> dict[str, int]:
    workers = {worker.name for worker in cluster.workers}
    return {host: 2 if host in workers else 1 for host in cluster.hosts}


def test_hosts_that_are_not_known_are_never_clean(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts()
    provisioned.lab.break_("controller-0", "host-down")
    provisioned.lab.break_("worker-0", "sudo-refused")
    provisioned.lab.break_("worker-1", "frozen")
    provisioned.lab.break_("worker-2", "drop-route")

    run = provisioned.run("drift_check", "--ping", inventory=inventory)
    nagios = provisioned.run("drift_check", "--exit-style", "nagios", "--limit", "worker-[01]", inventory=inventory)

    assert run.exit_code == 1  # which outranks drift
    assert run.outcomes == {
        "controller-0": "unreachable",
        "controller-1": "ok",
        "controller-2": "ok",
        "worker-0": "failed",
        "worker-1": "unreachable",
        "worker-2": "drift",
    }
    assert "checked 3 of 6; 3 unknown\n" in run.stdout
    assert "FAILED: controller-0, worker-0, worker-1\n" in run.stdout
    for host, code in (
        ("controller-0", "host-unreachable"),
        ("worker-0", "result-unknown"),
        ("worker-1", "host-unreachable"),
    ):
        [finding] = run.hosts[host]["findings"]
        assert (finding["code"], finding["layer"], finding["subject"]) == (code, "host", "host")
        assert finding["message"] == run.reason(host)
        assert re.search(rf"^{host} +host +{code} +- +{re.escape(finding['message'])}$", run.stdout, re.MULTILINE)
    ways = {(one["source"], one["target"]): one["state"] for one in run.report["directions"]}
    assert {way for way, state in ways.items() if state != "unknown"} == {
        ("controller-1", "worker-2"),
        ("controller-2", "worker-2"),
    }
    assert re.search(r"^controller-1 +\? +\? +ok$", run.stdout, re.MULTILINE)
    assert nagios.exit_code == 3
    assert nagios.stdout.startswith("POD ROUTES UNKNOWN - checked 0 of 2; 2 unknown; ")


def test_what_monitoring_sees(provisioned: Cluster) -> None:
    def look(*options: str) -> tuple[int, str, tuple[str, ...], Run]:
        run = provisioned.run("drift_check", "--exit-style", "nagios", *options)
        text, _, data = run.stdout.splitlines()[-1].partition(" | ")
        match = PERFORMANCE.fullmatch(data)
        assert match is not None, data
        # What is for people goes beside it.
        assert "checked 6 of 6\n" in run.stderr
        return run.exit_code, text, match.groups(), run

    provisioned.lab.break_("worker-0", "stale-route")
    exit_code, text, performance, run = look("--json", "-")
    assert exit_code == 1
    assert text == "POD ROUTES WARNING - checked 6 of 6; 1 finding: worker-0 route-stale 10.200.240.0/24"
    assert performance == ("6", "0", "1", "0")
    check_report(json.loads(run.stdout.removesuffix("\n").rpartition("\n")[0]))

    provisioned.lab.break_("controller-1", "forwarding-off")
    provisioned.lab.break_("worker-1", "drop-route")
    exit_code, text, performance, run = look()
    assert run.stdout.count("\n") == 1
    assert exit_code == 2
    assert text == (
        "POD ROUTES CRITICAL - checked 6 of 6; 1 direction cut; 4 findings: "
        "controller-1 forwarding-off net.ipv4.ip_forward, worker-0 route-stale 10.200.240.0/24, "
        "worker-1 route-missing 10.200.0.0/24 and 1 more"
    )
    assert performance == ("6", "0", "4", "1")


def test_a_second_check_does_not_wait_and_a_killed_one_is_in_nobodys_way(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts(banner_timeout=600.0)
    config = provisioned.write(inventory)
    provisioned.lab.break_("controller-2", "frozen")

    with provisioned.start("drift_check", inventory=config) as first:
        first.wait_for("[5/6]")
        connections = provisioned.connections()
        second = provisioned.run("drift_check", inventory=config)
        assert provisioned.connections() == connections
        first.process.kill()
        first.process.wait()

    assert second.exit_code == 75
    assert second.stderr.startswith("another run holds the lock")
    assert str(first.process.pid) in second.stderr
    assert second.stdout == ""

    provisioned.lab.repair(["controller-2"])
    after = provisioned.run("drift_check", inventory=config)
    assert after.exit_code == 0, after.text


def test_progress_on_a_terminal(provisioned: Cluster) -> None:
    provisioned.lab.break_("worker-1", "drop-route")
    with Terminal(provisioned.lab, provisioned.command("drift_check", "--ping")) as terminal:
        assert terminal.finish() == 2
    for number, title in ((6, "check"), (3, "ping")):
        assert re.search(rf"{title}.*{number}/{number}", terminal.text), terminal.text
    assert "checked 6 of 6" in terminal.text
    assert "CUT" in terminal.text
    assert "\x1b[" in terminal.raw
