"""Drift: whatever goes wrong on a host is found, reported with its place, and fixed by --fix if it is ours."""

import re

import pytest

from podroutes.drift.classes import DRIFT_CLASSES
from tests.integration.cluster import Cluster, Run
from tests.integration.drifts import BATCHES, Drift, inject

PERSISTED = {
    "forwarding-not-kept",
    "forwarding-overruled",
    "leftover-file",
    "manager-lacks-routes",
    "manager-removes-routes",
    "script-edited",
    "unit-disabled",
    "unit-drop-in",
    "unit-edited",
    "unit-failed",
    "unit-missing",
    "unit-unwanted",
    "unit-without-routes",
}
NOTICES = {"foreign-route", "manager-removes-routes", "unit-drop-in"}


def findings(run: Run, host: str) -> tuple[tuple[str, str], ...]:
    return tuple((finding["code"], finding["subject"]) for finding in run.hosts[host]["findings"])


def outcome_of(drift: Drift) -> str:
    return "ok" if drift.codes <= NOTICES else "drift"


def outcome_after_fixing(drift: Drift) -> str:
    if drift.codes <= NOTICES:
        return "ok"
    return "failed" if drift.left else "changed"


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: ", ".join(sorted(set().union(*_codes(batch)))))
def test_drift_is_found_and_fixed(provisioned: Cluster, batch: dict[str, Drift]) -> None:
    before = provisioned.take_snapshots()
    inventory = inject(provisioned, batch)

    run = provisioned.run("drift_check", inventory=inventory)

    assert run.exit_code == 2
    assert {host: findings(run, host) for host in batch} == {host: drift.found for host, drift in batch.items()}
    assert run.outcomes == {host: outcome_of(batch[host]) for host in provisioned.hosts}
    for host in batch:
        for finding in run.hosts[host]["findings"]:
            layer = "persisted" if finding["code"] in PERSISTED else "kernel"
            assert finding["layer"] == ("host" if finding["code"] == "plan-conflict" else layer)
            assert (finding["state"], finding["since"]) == (None, None)
            row = rf"^{host} +{finding['layer']} +{finding['code']} +- +{re.escape(finding['message'])}$"
            assert re.search(row, run.stdout, re.MULTILINE), run.stdout
    assert "checked 6 of 6\n" in run.stdout

    # Provisioning would make of each host what --fix makes of it.
    after = {host: outcome_after_fixing(drift) for host, drift in batch.items()}
    planned = provisioned.run("provision", "--dry-run", inventory=inventory)
    assert planned.outcomes == after

    fixed = provisioned.run("drift_check", "--fix", inventory=inventory)

    assert fixed.outcomes == after
    assert fixed.exit_code == (1 if "failed" in after.values() else 0)
    for host, drift in batch.items():
        assert findings(fixed, host) == drift.found
        if after[host] == "failed":
            assert planned.reason(host) in fixed.reason(host)
        assert (fixed.hosts[host]["changes"] != []) == (after[host] == "changed" or "/90-" in str(drift.found))
    # What is somebody else's is theirs to take back.
    provisioned.everywhere(lambda host: provisioned.shell(host, batch[host].undo or "true"), batch)
    for host, drift in batch.items():
        if drift.undo:
            inventory.hosts[host].get("data", {}).pop("interface", None)

    clean = provisioned.run("drift_check", inventory=inventory)
    assert clean.exit_code == 0, clean.text
    assert clean.hosts_that_are("ok") == set(provisioned.hosts)
    assert all(findings(clean, host) == () for host in provisioned.hosts)
    # It fixed what it had found and nothing else.
    provisioned.assert_unchanged(
        {host: found for host, found in before.items() if not dict(batch[host].data).keys() & {"routes_service"}},
        reboots=True,
    )


def _codes(batch: dict[str, Drift]) -> list[set[str]]:
    return [drift.codes for drift in batch.values()]


def test_every_kind_that_a_host_of_the_lab_can_have_is_among_them() -> None:
    elsewhere = {code for code, one in DRIFT_CLASSES.items() if one.layer == "cloud"}
    # Hosts that fail, and pings, are below; router advertisements need IPv6.
    elsewhere |= {"host-unreachable", "result-unknown", "packets-dropped", "packets-too-large"}
    elsewhere |= {"advertisements-ignored"}
    made = set().union(*(codes for batch in BATCHES for codes in _codes(batch)))
    assert made == set(DRIFT_CLASSES) - elsewhere


def test_a_notice_is_told_and_leaves_everything_ok(provisioned: Cluster) -> None:
    provisioned.lab.break_("controller-1", "foreign-route")

    # Nothing is to be fixed, and there is nobody to ping.
    run = provisioned.run("drift_check", "--limit", "controllers", "--fix", "--ping")

    assert run.exit_code == 0
    assert run.outcomes == {f"controller-{number}": "ok" for number in range(3)}
    assert findings(run, "controller-1") == (("foreign-route", "10.200.250.0/24 via 10.240.0.1 dev eth0 proto static"),)
    assert "checked 3 of 3\n" in run.stdout
    assert run.report["directions"] == []
    assert {host["commands"] for host in run.report["hosts"]} == {1}
    assert provisioned.routes("controller-1", "10.200.250.0/24") == [
        "10.200.250.0/24 via 10.240.0.1 dev eth0 proto static"
    ]
