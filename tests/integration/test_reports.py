"""What a run says: to people, to programs, and to people who want to know more."""

import json
import re

import pytest

from podroutes.host.managed_files import DATA_PATH
from tests.integration.cluster import Cluster, check_report


def test_json_on_standard_output_is_nothing_but_json(provisioned: Cluster) -> None:
    provisioned.lab.break_("worker-1", "drop-route")

    run = provisioned.run("provision", "--yes", "--diff", "--json", "-")

    assert run.exit_code == 0
    report = json.loads(run.stdout)
    check_report(report)
    assert [host["host"] for host in report["hosts"]] == provisioned.hosts
    assert {host["host"]: host["outcome"] for host in report["hosts"]} == {
        host: "changed" if host == "worker-1" else "ok" for host in provisioned.hosts
    }
    # What is for people goes beside it.
    assert "6 hosts: 5 ok, 1 changed, 1 change" in run.stderr


def test_the_diff_shows_what_was_written(provisioned: Cluster) -> None:
    provisioned.on("worker-1", "sed", "-i", "s/10.200.2.0/10.200.9.0/", DATA_PATH)

    run = provisioned.run("provision", "--yes", "--diff")

    assert run.exit_code == 0
    assert "-route 10.200.9.0/24 via 10.240.0.22 dev eth0" in run.stdout
    assert "+route 10.200.2.0/24 via 10.240.0.22 dev eth0" in run.stdout


def test_the_recap_counts_every_host_that_was_asked_for(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts()
    provisioned.lab.break_("worker-0", "sshd-stopped")
    provisioned.lab.break_("worker-1", "sudo-refused")
    provisioned.lab.break_("worker-2", "drop-route")

    run = provisioned.provision(inventory=inventory)

    assert run.exit_code == 1
    summary = next(line for line in run.stdout.splitlines() if line.startswith("6 hosts: "))
    assert summary.startswith("6 hosts: 3 ok, 1 changed, 1 failed, 1 unreachable, 1 change, ")
    # The errors fit on a line each, and tracebacks come with -v alone.
    assert "Traceback" not in run.text
    verbose = provisioned.provision("-v", "--limit", "worker-1", inventory=inventory)
    assert verbose.exit_code == 1
    assert "PrivilegeError" in verbose.stdout
    assert "Traceback (most recent call last)" in verbose.stdout


def test_verbose_prints_every_tasks_result_as_nornir_does(provisioned: Cluster) -> None:
    run = provisioned.provision("-v")
    assert run.exit_code == 0
    assert re.search(r"^\* controller-0 \*\* changed : False \*+$", run.stdout, re.MULTILINE)
    assert re.search(r"^---- collect_facts \*\* changed : False -+ INFO$", run.stdout, re.MULTILINE)


def test_show_routes_in_all_its_forms(provisioned: Cluster) -> None:
    table = provisioned.run("show_routes")
    assert table.exit_code == 0
    assert re.search(r"^worker-2 +10\.240\.0\.22 +10\.200\.2\.0/24$", table.stdout, re.MULTILINE)
    row = r"^worker-1 +10\.200\.0\.0/24 +10\.240\.0\.20 +eth0 +201 +0 +up to date$"
    assert re.search(row, table.stdout, re.MULTILINE)
    assert re.search(r"^worker-1 +10\.200\.1\.0/24 +- +cnio0 +kernel +0 +own pods$", table.stdout, re.MULTILINE)

    parsed = json.loads(provisioned.run("show_routes", "--format", "json").stdout)
    assert [host["host"] for host in parsed["hosts"]] == provisioned.hosts
    assert {route["status"] for host in parsed["hosts"] for route in host["routes"]} == {"up to date", "own pods"}

    # The guide's two loops: address and pod CIDR of each worker, then `ip route` of each host.
    text = provisioned.run("show_routes", "--format", "text").stdout
    guide = "".join(f"{worker.address.ip} {worker.pod_cidr}\n" for worker in provisioned.workers)
    for host in provisioned.hosts:
        guide += f"==> {host}\n" + "".join(f"{line}\n" for line in provisioned.routes(host))
    assert [line.rstrip() for line in text.splitlines()] == guide.splitlines()

    gcloud = provisioned.run("show_routes", "--format", "gcloud").stdout.splitlines()
    assert gcloud[0].split() == ["NAME", "NETWORK", "DEST_RANGE", "NEXT_HOP", "PRIORITY"]
    assert [line.split() for line in gcloud if line.startswith("kubernetes-route-10-200-1-")] == [
        ["kubernetes-route-10-200-1-0-24", "kubernetes-the-hard-way", "10.200.1.0/24", "10.240.0.21", "0"]
    ]


def test_show_routes_tells_what_is_wrong_and_where(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts()
    provisioned.lab.break_("controller-0", "drop-route")
    provisioned.lab.break_("worker-0", "wrong-next-hop")
    provisioned.lab.break_("worker-1", "sshd-stopped")

    run = provisioned.run("show_routes", inventory=inventory)

    assert run.exit_code == 1  # a host could not be read
    assert re.search(r"^controller-0 +10\.200\.0\.0/24 .* missing$", run.stdout, re.MULTILINE)
    assert re.search(r"^worker-0 +10\.200\.1\.0/24 .* wrong$", run.stdout, re.MULTILINE)
    assert re.search(r"^worker-1 +unreachable: .*connection refused", run.stdout, re.MULTILINE)
    assert "FAILED: not as wanted: worker-1" in run.stderr


def imported(profile: str) -> set[str]:
    """The packages in what Python says of its imports (PYTHONPROFILEIMPORTTIME)."""
    lines = [line for line in profile.splitlines() if line.startswith("import time:")]
    assert len(lines) > 10, profile
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_is_there_at_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    for runbook in ("provision", "deprovision", "show_routes"):
        run = cluster.run(runbook, "--help")

        assert run.exit_code == 0
        assert "--limit PATTERN" in run.stdout
        assert "exit codes: 0 all is as wanted; 1 a host failed" in run.stdout
        # Loading one of them would take longer than all the rest.
        assert not {"nornir", "paramiko", "asyncssh", "rich", "openstack", "httpx"} & imported(run.stderr)
