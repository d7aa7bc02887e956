"""What a check remembers: since when something is so, what has healed, and what nobody knows."""

import re
import sqlite3
from pathlib import Path
from typing import Any

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

    assert check().exit_code == 0
    provisioned.lab.break_("worker-0", "stale-route")
    provisioned.lab.break_("worker-1", "drop-route")

    first = check()
    stale, missing = ("route-stale", "10.200.240.0/24"), ("route-missing", "10.200.0.0/24")
    began = first.report["started"]
    assert seen(first, "worker-0") == {stale: ("new", began)}
    assert seen(first, "worker-1")[missing] == ("new", began)
    row = r"^worker-0 +kernel +route-stale +new, since \d{4}-\d\d-\d\d \d\d:\d\d +10\.200\.240\.0/24: "
    assert re.search(row, first.stdout, re.MULTILINE)

    # One can't be asked, one is mended, and something is new elsewhere.
    provisioned.lab.break_("worker-0", "sshd-stopped")
    provisioned.shell("worker-1", "systemctl reload routes.service")
    provisioned.lab.break_("worker-2", "forwarding-off")
    second = check()
    assert second.exit_code == 1
    assert [one["code"] for one in second.hosts["worker-0"]["findings"]] == ["host-unreachable"]
    assert healed(second) == [("worker-1", *missing), ("worker-1", "unit-without-routes", "routes.service")]
    assert "healed: worker-1: route-missing: 10.200.0.0/24 (first seen " in second.stdout
    assert seen(second, "worker-2") == {("forwarding-off", "net.ipv4.ip_forward"): ("new", second.report["started"])}

    # It is neither healed nor forgotten: it has been there all the time.
    provisioned.lab.mend(["worker-0"])
    third = check("--fix")
    assert third.exit_code == 0
    assert seen(third, "worker-0") == {stale: ("persisting", began)}
    assert seen(third, "worker-2") == {
        ("forwarding-off", "net.ipv4.ip_forward"): ("persisting", second.report["started"])
    }
    assert healed(third) == [("worker-0", "host-unreachable", "host")]

    # What --fix has mended is seen by the next one, of the hosts that it looks at.
    fourth = check("--limit", "worker-0")
    assert fourth.exit_code == 0
    assert healed(fourth) == [("worker-0", *stale)]

    log = provisioned.run("drift_check", *history, "--log", inventory=config)
    assert log.exit_code == 0
    rows = [line for line in log.stdout.splitlines() if re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert [re.split(r" {2,}", row)[1:3] for row in rows] == [
        ["ok", "6 of 6"],
        ["drift", "6 of 6"],
        ["incomplete", "5 of 6"],
        ["drift", "6 of 6"],
        ["ok", "1 of 1"],
    ]
    assert "+ worker-0 route-stale 10.200.240.0/24" in rows[1]
    assert "- worker-1 route-missing 10.200.0.0/24 after " in rows[2]
    assert "- worker-0 route-stale 10.200.240.0/24 after " in rows[4]
    assert "open: 1\n  worker-2: forwarding-off: net.ipv4.ip_forward, since " in log.stdout


def test_a_damaged_history_hides_nothing(provisioned: Cluster, tmp_path: Path) -> None:
    provisioned.lab.break_("worker-1", "drop-route")
    history, page, metrics = (tmp_path / name for name in ("history.sqlite3", "page.html", "pod_routes.prom"))
    history.write_bytes(b"SQLite format 3\0" + bytes(5000))
    before = history.read_bytes()

    run = provisioned.run("drift_check", "--history", str(history), "--html", str(page), "--prometheus", str(metrics))

    assert run.exit_code == 64
    assert f"drift_check.py: {history}: " in run.stderr
    assert re.search(r"^worker-1 +kernel +route-missing +- +10\.200\.0\.0/24: missing", run.stdout, re.MULTILINE)
    assert run.outcomes["worker-1"] == "drift"
    assert "route-missing" in page.read_text()
    assert 'code="route-missing"' in metrics.read_text()
    assert history.read_bytes() == before


def test_a_check_that_is_killed_leaves_a_history_that_goes_on(provisioned: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    provisioned.lab.break_("worker-1", "stale-route")
    assert provisioned.run("drift_check", "--history", str(path)).exit_code == 2
    sound = path.read_bytes()
    # As a check that died in the middle of its writing leaves it: the journal is there, the file half written.
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA cache_size = 1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE runs SET exit_code = 77")
        database.executemany(
            "INSERT INTO findings (host, code, subject, message, since, first_run) VALUES (?, 'x', 'y', ?, '', 9)",
            ((f"host-{number}", "long " * 200) for number in range(200)),
        )
        whole = {name: (tmp_path / name).read_bytes() for name in ("history.sqlite3", "history.sqlite3-journal")}
        database.execute("ROLLBACK")
    database.close()
    assert whole["history.sqlite3"] != sound
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)

    run = provisioned.run("drift_check", "--history", str(path))

    assert run.exit_code == 2
    [finding] = run.hosts["worker-1"]["findings"]
    assert finding["state"] == "persisting"
    with sqlite3.connect(path) as database:
        rows: list[Any] = database.execute("SELECT exit_code FROM runs").fetchall()
    database.close()
    assert rows == [(2,), (2,)]
