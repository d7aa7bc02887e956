"""The schedule on a real machine: the timer fires, a fault is injected, the next check reports it."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.cluster import ROOT, Cluster
from tests.integration.operator_host import CONFIG, make_operator

OPERATOR = "controller-0"
PYTHON = f"{ROOT}/.venv/bin/python"
STATE = "/var/lib/pod-routes"
UNITS = "/etc/systemd/system"
SERVICE, TIMER = "pod-routes-drift.service", "pod-routes-drift.timer"


@pytest.fixture
def operator(provisioned: Cluster) -> Iterator[Cluster]:
    make_operator(provisioned, OPERATOR)
    yield provisioned
    # What was mounted and written there goes with the file system; the others are put right by the next test's fixture.
    provisioned.lab.reboot([OPERATOR], fresh=True)


def drift_check(cluster: Cluster, *options: str) -> str:
    return cluster.on(OPERATOR, PYTHON, f"{ROOT}/runbooks/drift_check.py", "--config", CONFIG, *options)


def wait_for(read: Callable[[], Any], accept: Callable[[Any], bool], what: str) -> Any:  # noqa: ANN401  # as `read` gives
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        value = read()
        if accept(value):
            return value
        time.sleep(0.5)
    raise AssertionError(f"{what} never came; last: {value}")


def report(cluster: Cluster) -> dict[str, Any]:
    text = cluster.on(OPERATOR, "cat", f"{STATE}/report.json", check=False)
    return dict(json.loads(text)) if text else {}


def settled(cluster: Cluster) -> dict[str, Any]:
    """The report of a check that has written all of its reports."""
    wait_for(lambda: show(cluster, SERVICE, "ActiveState"), lambda state: state == "inactive", "the check's end")
    return report(cluster)


def outcome(found: dict[str, Any], host: str) -> str:
    return next((str(one["outcome"]) for one in found.get("hosts", []) if one["host"] == host), "")


def metric(cluster: Cluster, name: str) -> list[str]:
    text = cluster.on(OPERATOR, "cat", f"{STATE}/pod_routes.prom")
    return re.findall(rf"^pod_routes_{name} (\S+)$", text, re.MULTILINE)


def show(cluster: Cluster, unit: str, name: str) -> str:
    return cluster.on(OPERATOR, "systemctl", "show", unit, f"--property={name}", "--value").strip()


def test_the_timer_finds_a_fault_at_its_next_tick(operator: Cluster) -> None:
    said = drift_check(operator, "--install-timer", "--every", "10s")
    assert said.count("wrote /etc/systemd/system/") == 2
    assert f"enabled and started {TIMER}" in said
    assert operator.on(OPERATOR, "systemd-analyze", "verify", f"{UNITS}/{SERVICE}", f"{UNITS}/{TIMER}") == ""

    wait_for(lambda: report(operator), bool, "the first report")
    first = settled(operator)
    assert {one["outcome"] for one in first["hosts"]} == {"ok"}
    assert metric(operator, 'findings{.*host="worker-1".*}') == []

    before = operator.take_snapshots(["worker-2", "controller-1"])
    operator.on("worker-1", "ip", "route", "del", "10.200.0.0/24")
    wait_for(lambda: report(operator), lambda found: outcome(found, "worker-1") == "drift", "drift")
    second = settled(operator)
    [finding] = [one for host in second["hosts"] for one in host["findings"] if one["code"] == "route-missing"]
    assert finding["subject"] == "10.200.0.0/24"
    assert metric(operator, 'findings{code="route-missing",host="worker-1",.*}') == ["1.0"]
    # Drift is no failure of the unit, and the check has changed nothing.
    assert show(operator, SERVICE, "Result") == "success"
    operator.assert_unchanged(before)

    operator.on("worker-1", "systemctl", "reload", "routes.service")
    wait_for(lambda: report(operator), lambda found: outcome(found, "worker-1") == "ok", "healing")
    settled(operator)
    log = drift_check(operator, "--history", f"{STATE}/history.sqlite3", "--log")
    assert "+ worker-1 route-missing 10.200.0.0/24" in log
    assert "- worker-1 route-missing 10.200.0.0/24 after " in log
    for name in ("report.html", "report.xml"):
        assert operator.on(OPERATOR, "head", "-c", "5", f"{STATE}/{name}") in ("<!doc", "<?xml")

    said = drift_check(operator, "--remove-timer")
    assert said.count("removed /etc/systemd/system/") == 2
    left = operator.on(OPERATOR, "find", UNITS, "/var/lib/systemd/timers", "-name", "*pod-routes*")
    assert left == ""
    assert show(operator, TIMER, "LoadState") == "not-found"
    assert report(operator) != {}


def test_installing_twice_changes_nothing_and_others_units_are_left_alone(operator: Cluster) -> None:
    drift_check(operator, "--install-timer")
    said = drift_check(operator, "--install-timer")
    assert said.startswith(f"nothing to do: {TIMER} is up to date, enabled and active\n")
    operator.on(OPERATOR, "systemctl", "stop", TIMER)
    assert f"started {TIMER}" in drift_check(operator, "--install-timer")
    said = drift_check(operator, "--install-timer", "--every", "1h")
    assert f"changed {UNITS}/{TIMER}" in said
    assert f"restarted {TIMER}" in said
    assert f"{UNITS}/{SERVICE}" not in said

    operator.shell(OPERATOR, f"echo '[Unit]' >{UNITS}/{SERVICE}")
    for option in ("--install-timer", "--remove-timer"):
        with pytest.raises(AssertionError, match="was not made by this software, and is left alone"):
            drift_check(operator, option)
    assert operator.on(OPERATOR, "cat", f"{UNITS}/{SERVICE}") == "[Unit]\n"
    operator.on(OPERATOR, "rm", f"{UNITS}/{SERVICE}")
    assert drift_check(operator, "--remove-timer").count("removed") == 1
    assert drift_check(operator, "--remove-timer").startswith("nothing to do")


def test_a_user_of_its_own(operator: Cluster) -> None:
    operator.shell(
        OPERATOR,
        "useradd --system --create-home --home-dir /home/drift drift; cp -a /root/.ssh /home/drift/; "
        # What the project's folders let others read is theirs to say; the interpreter lies in root's home.
        "chown -R drift: /home/drift; chmod 0755 /root",
    )
    with pytest.raises(AssertionError, match="there is no such user; make one with"):
        drift_check(operator, "--install-timer", "--user", "nobody-here")
    drift_check(operator, "--install-timer", "--every", "1h", "--user", "drift", "--state-dir", "/srv/drift")
    operator.on(OPERATOR, "systemctl", "start", SERVICE)
    assert operator.on(OPERATOR, "stat", "--format=%U %a", "/srv/drift/report.json").startswith("drift ")
    assert operator.on(OPERATOR, "stat", "--format=%U %a", "/srv/drift/pod_routes.prom") == "drift 644\n"
    found = json.loads(operator.on(OPERATOR, "cat", "/srv/drift/report.json"))
    assert {one["outcome"] for one in found["hosts"]} == {"ok"}
