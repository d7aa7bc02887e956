import re

import pytest

from podroutes.drift.findings import new_finding
from podroutes.outcomes import RunReport
from podroutes.report.nagios import exit_code, render
from podroutes.report.write import Past
from tests.unit.podroutes.report.reports import (
    FOREIGN,
    MISSING,
    changed,
    check,
    directions,
    drifted,
    failed,
    fixed,
    ok,
    skipped,
    unreachable,
)

CUT = directions(("worker-0", "worker-1"))
# Monitoring Plugins Development Guidelines: 'label'=value[UOM];[warn];[crit];[min];[max]
PERFORMANCE = re.compile(r"[a-z]+=[0-9.]+s?(;[0-9]*){3,4}")


@pytest.mark.parametrize(
    ("report", "code", "start"),
    [
        (check(ok("a"), ok("b", FOREIGN)), 0, "POD ROUTES OK - checked 2 of 2; no drift |"),
        (
            check(ok("a"), drifted("b")),
            1,
            "POD ROUTES WARNING - checked 2 of 2; 1 finding: b route-missing 10.200.1.0/24 |",
        ),
        (
            check(drifted("a"), between=CUT),
            2,
            "POD ROUTES CRITICAL - checked 1 of 1; 1 direction cut; 1 finding: a route-missing 10.200.1.0/24 |",
        ),
        (
            check(ok("a"), unreachable("b")),
            3,
            "POD ROUTES UNKNOWN - checked 1 of 2; 1 unknown; no drift on the others |",
        ),
        (check(ok("a"), failed("b")), 3, "POD ROUTES UNKNOWN"),
        (
            check(ok("a"), skipped("b"), interrupted=True),
            3,
            "POD ROUTES UNKNOWN - checked 1 of 2; 1 unknown; interrupted",
        ),
        (check(), 3, "POD ROUTES UNKNOWN - checked 0 of 0"),
        (check(drifted("a"), unreachable("b")), 1, "POD ROUTES WARNING - checked 1 of 2; 1 unknown; 1 finding"),
        (check(ok("a"), unreachable("b"), between=CUT), 2, "POD ROUTES CRITICAL - checked 1 of 2; 1 unknown"),
        (fixed(ok("a"), changed("b", MISSING)), 0, "POD ROUTES OK - checked 2 of 2; no drift; 1 host fixed |"),
    ],
)
def test_states(report: RunReport, code: int, start: str) -> None:
    assert (exit_code(report), render(report, Past())[: len(start)]) == (code, start)


def line_of(report: RunReport) -> str:
    line, newline, rest = render(report, Past()).partition("\n")
    assert (newline, rest) == ("\n", "")
    return line


def test_performance_data() -> None:
    line = line_of(check(ok("a"), drifted("b"), unreachable("c"), between=CUT))
    text, _, data = line.partition(" | ")
    assert "|" not in text
    assert all(PERFORMANCE.fullmatch(word) for word in data.split(" "))
    assert data == "checked=2;;;0;3 unknown=1;;;0;3 findings=1;0;;0 cut=1;;0;0;4 time=1.500s;;;0"


def test_odd_text_stays_on_the_line_and_out_of_the_performance_data() -> None:
    finding = new_finding("route-missing", "odd|one\nCRITICAL\x1b[31m", "message")
    line = line_of(check(drifted("a", finding)))
    assert line.count("|") == 1
    assert line.isprintable()
    assert "odd/one CRITICAL [31m" in line


def test_many_findings_are_counted_and_some_named() -> None:
    findings = [new_finding("route-missing", f"10.200.{index}.0/24", "message") for index in range(5)]
    line = line_of(check(drifted("a", *findings)))
    assert "5 findings: a route-missing 10.200.0.0/24" in line
    assert "10.200.2.0/24 and 2 more |" in line
