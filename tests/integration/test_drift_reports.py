"""A check's reports, all of one run on real hosts, and that writing them changes nothing there."""

import re
from html.parser import HTMLParser
from pathlib import Path

import junitparser
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.cluster import Cluster


class Page(HTMLParser):
    """What a page would load, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data", "action", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def samples(path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name.removeprefix("pod_routes_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_all_reports_say_the_same_of_one_run(provisioned: Cluster, tmp_path: Path) -> None:
    inventory = provisioned.inventory()
    inventory.set_timeouts()
    provisioned.lab.break_("worker-0", "drop-route")
    provisioned.lab.break_("worker-2", "foreign-route")
    provisioned.lab.break_("controller-1", "sshd-stopped")
    before = provisioned.take_snapshots()
    junit, metrics, page = tmp_path / "report.xml", tmp_path / "pod_routes.prom", tmp_path / "page.html"
    files = ("--junit", str(junit), "--prometheus", str(metrics), "--html", str(page))
    history = ("--history", str(tmp_path / "history.sqlite3"))

    run = provisioned.run("drift_check", "--ping", *files, *history, inventory=inventory)

    provisioned.assert_unchanged(before)
    assert run.exit_code == 1
    assert run.report["runbook"] == "drift_check"
    assert run.report["dry_run"] is False
    assert (run.outcomes["worker-0"], run.outcomes["worker-2"], run.outcomes["controller-1"]) == (
        "drift",
        "ok",
        "unreachable",
    )

    suites = {suite.name: suite for suite in junitparser.JUnitXml.fromfile(str(junit))}
    assert list(suites) == provisioned.hosts
    assert {name: (suite.failures, suite.errors) for name, suite in suites.items()} == {
        "controller-0": (0, 0),
        "controller-1": (0, 1),
        "controller-2": (0, 0),
        "worker-0": (2, 0),
        "worker-1": (0, 0),
        "worker-2": (0, 0),
    }
    cases = {case.name: case for case in suites["worker-0"]}
    [failure] = cases["route-missing"].result
    assert failure.message.startswith("no route to 10.200.1.0/24; expected: 10.200.1.0/24 via 10.240.0.21 dev eth0")
    assert "fix: python runbooks/provision.py --limit worker-0" in failure.text

    found = samples(metrics)
    assert found["hosts_checked", frozenset({("runbook", "drift_check")})] == 5
    assert found["hosts_unknown", frozenset({("runbook", "drift_check")})] == 1
    kinds = {(dict(labels)["host"], dict(labels)["code"]) for name, labels in found if name == "findings"}
    assert {("worker-0", "route-missing"), ("worker-0", "unit-without-routes"), ("worker-2", "foreign-route")} <= kinds
    assert metrics.stat().st_mode & 0o777 == 0o644

    parsed = Page()
    parsed.feed(page.read_text())
    assert [link for link in parsed.loads if not link.startswith(("#", "data:"))] == []
    assert re.search(r"url\(|@import", page.read_text()) is None
    assert not {"script", "iframe", "object"} & parsed.tags
    for words in ("route-missing", "10.200.1.0/24", "controller-1", "checked 5 of 6"):
        assert words in parsed.text
    assert "svg" in parsed.tags
    # Nothing is left beside them that was only half written.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history.sqlite3",
        "page.html",
        "pod_routes.prom",
        "report.xml",
    ]
