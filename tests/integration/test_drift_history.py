"""What a check remembers: since when something is so, what has healed, and what nobody knows."""

import re
from pathlib import Path

from tests.integration.cluster import Cluster, Run


def seen(run: Run, host: str) -> dict[tuple[str, str], tuple[str, str]]:
    """State and time of first sight of each finding."""
    return {(one["code"], one["subject"]): (one["state"], one["since"]) for one in run.hosts[host]["findings"]}


def healed(run: Run) -> list[tuple[str, str, str]]:
    return [(one["host"], one["code"], one["subject"]) for one in run.report["healed"]]


def test_findings_are_new_then_persist_and_then_heal(provisioned: Cluster, tmp_path: Path) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts()
    config = provisioned.write(inventory)
    history = ("--history", str(tmp_path / "history.sqlite3"))

    def check(*options: str) -> Run:
        return provisioned.run("drift_check", *history, *options, inventory=config)

    provisioned.lab.break_("worker-0", "stale-route")
    provisioned.lab.break_("worker-1", "drop-route")

    first = check()
    stale, missing = ("route-stale", "10.200.240.0/24"), ("route-missing", "10.200.0.0/24")
    began = first.report["started"]
    assert seen(first, "worker-0") == {stale: ("new", began)}
    assert seen(first, "worker-1")[missing] == ("new", began)
    row = r"^worker-0 +kernel +route-stale +new, since \d{4}-\d\d-\d\d \d\d:\d\d +10\.200\.240\.0/24: "
    assert re.search(row, first.stdout, re.MULTILINE)

    # One can't be asked, one is fixed, and something is new elsewhere.
    provisioned.lab.break_("worker-0", "sshd-stopped")
    provisioned.shell("worker-1", "systemctl reload routes.service")
    provisioned.lab.break_("worker-2", "forwarding-off")
    second = check()
    assert second.exit_code == 1
    assert [one["code"] for one in second.hosts["worker-0"]["findings"]] == ["host-unreachable"]
    assert healed(second) == [("worker-1", *missing), ("worker-1", "unit-without-routes", "routes.service")]
    assert "resolved: worker-1: route-missing: 10.200.0.0/24 (first seen " in second.stdout
    assert seen(second, "worker-2") == {("forwarding-off", "net.ipv4.ip_forward"): ("new", second.report["started"])}

    # It is neither healed nor forgotten: it has been there all the time.
    provisioned.lab.repair(["worker-0"])
    third = check("--fix")
    assert third.exit_code == 0
    assert seen(third, "worker-0") == {stale: ("persisting", began)}
    assert seen(third, "worker-2") == {
        ("forwarding-off", "net.ipv4.ip_forward"): ("persisting", second.report["started"])
    }
    assert healed(third) == [("worker-0", "host-unreachable", "host")]

    # What --fix has fixed is seen by the next one, of the hosts that it looks at.
    fourth = check("--limit", "worker-0")
    assert fourth.exit_code == 0
    assert healed(fourth) == [("worker-0", *stale)]

    log = provisioned.run("drift_check", *history, "--log", inventory=config)
    assert log.exit_code == 0
    rows = [line for line in log.stdout.splitlines() if re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert [re.split(r" {2,}", row)[1:3] for row in rows] == [
        ["drift", "6 of 6"],
        ["incomplete", "5 of 6"],
        ["drift", "6 of 6"],
        ["ok", "1 of 1"],
    ]
    assert "+ worker-0 route-stale 10.200.240.0/24" in rows[0]
    assert "- worker-1 route-missing 10.200.0.0/24 after " in rows[1]
    assert "- worker-0 route-stale 10.200.240.0/24 after " in rows[3]
    assert "open: 1\n  worker-2: forwarding-off: net.ipv4.ip_forward, since " in log.stdout
