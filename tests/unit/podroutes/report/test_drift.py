"""A check's findings on a terminal: what differs, since when, what it breaks, what fixes it, what is cut off."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from podroutes.drift.findings import Direction, HealedFinding, PingAnswer
from podroutes.outcomes import RunReport
from podroutes.report.console import new_console
from podroutes.report.drift import print_directions, print_findings, print_healed
from tests.unit.podroutes.report.reports import FOREIGN, MISSING, check, drifted, ok

SINCE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def findings_of(report: RunReport) -> list[str]:
    file = io.StringIO()
    print_findings(new_console(file), report)
    return file.getvalue().splitlines()


def directions_of(directions: Sequence[Direction]) -> list[str]:
    file = io.StringIO()
    print_directions(new_console(file), directions)
    return file.getvalue().splitlines()


def test_nothing_is_printed_where_nothing_was_found() -> None:
    assert findings_of(check(ok("a"), ok("b"))) == []


def test_a_row_for_each_finding_and_a_line_for_each_kind() -> None:
    seen = replace(MISSING, state="persisting", since=SINCE)
    lines = findings_of(check(drifted("worker-0", seen, FOREIGN), drifted("worker-1", MISSING)))
    assert [line.split()[:3] for line in lines[:4]] == [
        ["HOST", "LAYER", "CODE"],
        ["worker-0", "kernel", "route-missing"],
        ["worker-0", "kernel", "foreign-route"],
        ["worker-1", "kernel", "route-missing"],
    ]
    assert " persisting, since 2026-03-01 12:00 " in lines[1]
    assert lines[1].endswith(MISSING.message)
    assert [line.partition(":")[0] for line in lines[5:7]] == ["route-missing", "foreign-route"]
    assert lines[5].endswith("Fix: python runbooks/provision.py --limit worker-0 --limit worker-1")
    assert lines[6].endswith("Fix: Remove it if nobody needs it: `ip route del` with what the finding shows.")


def test_what_fixes_many_hosts_names_none() -> None:
    lines = findings_of(check(*(drifted(f"worker-{number}") for number in range(5))))
    assert lines[-2].endswith("Fix: python runbooks/provision.py")


def test_healed() -> None:
    file = io.StringIO()
    gone = HealedFinding(host="a", code="route-missing", subject="10.200.1.0/24", since=SINCE)
    print_healed(new_console(file), check(ok("a"), healed=(gone,)))
    assert file.getvalue() == "healed: a: route-missing: 10.200.1.0/24 (first seen 2026-03-01 12:00)\n"


def cluster(count: int, *cut: tuple[int, int], ping: PingAnswer = "") -> list[Direction]:
    return [
        Direction(
            source=f"w{source}",
            target=f"w{target}",
            state="cut" if (source, target) in cut else "ok",
            reason="why" if (source, target) in cut else "",
            ping=ping,
        )
        for source in range(count)
        for target in range(count)
        if source != target
    ]


def test_no_matrix_where_all_is_open_and_nothing_was_pinged() -> None:
    assert directions_of(cluster(3)) == []
    assert directions_of([]) == []


def test_a_matrix_with_the_reasons() -> None:
    lines = directions_of(cluster(3, (0, 2)))
    assert [line.split() for line in lines] == [
        ["FROM,", "TO", "PODS", "OF", "w0", "w1", "w2"],
        ["w0", "·", "ok", "CUT"],
        ["w1", "ok", "·", "ok"],
        ["w2", "ok", "ok", "·"],
        ["w0", "→", "w2:", "why"],
        [],
    ]


def test_pings_are_counted() -> None:
    assert directions_of(cluster(2, ping="answered"))[-2] == "pings answered: 2 of 2"
    assert directions_of(cluster(2, (0, 1), ping="answered"))[-2] == (
        "pings answered: 2 of 2; 1 of them by a gateway itself, whose pods are not reached"
    )
    assert directions_of(cluster(2, (0, 1), ping="no answer"))[-2] == "pings answered: 0 of 2"


def test_of_many_nodes_only_those_with_trouble() -> None:
    lines = directions_of(cluster(40, (3, 7), (3, 9)))
    assert [line.split() for line in lines[:2]] == [
        ["FROM,", "TO", "PODS", "OF", "w7", "w9"],
        ["w3", "CUT", "CUT"],
    ]
    assert directions_of(cluster(40, ping="answered")) == ["pings answered: 1560 of 1560", ""]


def test_of_much_trouble_the_first_reasons() -> None:
    lines = directions_of(cluster(40, *((0, target) for target in range(1, 40))))
    assert len(lines) == 22
    assert lines[0] == "  w0 → w1: why"
    assert lines[-2:] == ["  and 19 more", ""]
