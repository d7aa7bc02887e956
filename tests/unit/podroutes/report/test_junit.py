import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from msgspec.structs import replace

from podroutes.drift.classes import DRIFT_CLASSES
from podroutes.drift.findings import new_finding
from podroutes.outcomes import HostOutcome, Outcome, RunReport
from podroutes.report.junit import render
from podroutes.report.write import Past
from tests.unit.podroutes.report.reports import (
    FOREIGN,
    MISSING,
    PAIR,
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

KINDS = {Error: "error", Failure: "failure", Skipped: "skipped"}


def suites(report: RunReport) -> dict[str, TestSuite]:
    return {str(suite.name): suite for suite in JUnitXml.fromstring(render(report, Past()).encode())}


def results(suite: TestSuite) -> dict[str, str]:
    return {str(case.name): KINDS[type(case.result[0])] if case.result else "passed" for case in suite}


def case_of(suite: TestSuite, name: str) -> TestCase:
    return next(case for case in suite if case.name == name)


def test_a_clean_host_passes_every_check_that_applies_to_it() -> None:
    report = check(ok("controller-0"), ok("openstack"), between=directions())
    found = suites(report)
    machine, cloud = results(found["controller-0"]), results(found["openstack"])
    assert set(machine.values()) == set(cloud.values()) == {"passed"}
    by_layer = {
        layer: {code for code, one in DRIFT_CLASSES.items() if one.layer == layer} for layer in ("kernel", "cloud")
    }
    assert by_layer["kernel"] <= machine.keys()
    assert by_layer["cloud"] <= cloud.keys()
    assert not by_layer["cloud"] & machine.keys()
    assert not by_layer["kernel"] & cloud.keys()
    assert {"reachable", "result-known"} <= machine.keys() & cloud.keys()


def test_drift_is_a_failure_with_what_it_breaks_and_what_fixes_it() -> None:
    suite = suites(
        check(drifted("worker-0", MISSING, new_finding("route-missing", "10.200.2.0/24", "another"), FOREIGN))
    )["worker-0"]
    assert {name: result for name, result in results(suite).items() if result != "passed"} == {
        "route-missing": "failure"
    }
    failure = case_of(suite, "route-missing").result[0]
    assert failure.message == f"{MISSING.message} (and 1 more)"
    assert failure.type == "route-missing"
    for text in ("another", MISSING.expected, MISSING.drift_class.breaks, "--limit worker-0"):
        assert text in str(failure.text)
    assert FOREIGN.message in str(case_of(suite, "foreign-route").system_out)


@pytest.mark.parametrize(
    ("host", "reachable", "known"),
    [
        (unreachable("a"), "error", "skipped"),
        (failed("a"), "passed", "error"),
        (skipped("a"), "skipped", "skipped"),
        (HostOutcome(host="a", outcome=Outcome.FAILED, reason="interrupted"), "skipped", "error"),
    ],
    ids=["unreachable", "failed", "skipped", "left behind"],
)
def test_no_check_passes_on_a_host_that_was_not_checked(host: HostOutcome, reachable: str, known: str) -> None:
    found = results(suites(check(host))["a"])
    assert (found.pop("reachable"), found.pop("result-known")) == (reachable, known)
    assert set(found.values()) == {"skipped"}


def test_what_a_run_fixed_is_noted_and_no_failure() -> None:
    suite = suites(fixed(changed("a", MISSING)))["a"]
    assert set(results(suite).values()) == {"passed"}
    assert f"fixed: {MISSING.message}" in str(case_of(suite, "route-missing").system_out)


def test_counts_and_times_are_those_of_the_run() -> None:
    report = check(ok("a"), drifted("b"), unreachable("c"), drifted("d", PAIR))
    xml = JUnitXml.fromstring(render(report, Past()).encode())
    assert (xml.failures, xml.errors, xml.time) == (2, 1, 1.5)
    assert xml.tests == sum(len(list(suite)) for suite in xml)
    assert [suite.time for suite in xml] == [0.25, 0.5, 0.0, 0.5]


@given(st.text(st.characters(codec=None), min_size=1), st.text(st.characters(codec=None)))
def test_any_text_gives_xml_that_can_be_read(subject: str, message: str) -> None:
    finding = new_finding("route-missing", subject, message, expected=subject, found=message)
    report = check(drifted("a", finding), replace(unreachable("b"), reason=message, error=subject))
    assert list(suites(report)) == ["a", "b"]
