import pytest

from podroutes.outcomes import RunReport
from podroutes.report import summary as reading
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


@pytest.mark.parametrize(
    ("report", "coverage", "complete"),
    [
        (check(ok("a"), drifted("b")), "checked 2 of 2", True),
        (check(ok("a"), unreachable("b")), "checked 1 of 2; 1 unknown", False),
        (check(failed("a"), skipped("b")), "checked 0 of 2; 2 unknown", False),
        (check(ok("a"), interrupted=True), "checked 1 of 1", False),
        (check(), "checked 0 of 0", False),
    ],
)
def test_coverage(report: RunReport, coverage: str, complete: bool) -> None:
    assert reading.coverage(report) == coverage
    assert reading.is_complete(report) is complete


def test_notices_unknown_hosts_and_what_was_fixed_are_no_open_drift() -> None:
    report = check(drifted("a", MISSING, FOREIGN), unreachable("b"))
    assert [reading.open_drift(report, host) for host in report.hosts] == [(MISSING,), ()]
    after = fixed(changed("a", MISSING))
    assert reading.open_drift(after, after.hosts[0]) == ()
    would = check(changed("a", MISSING))
    assert reading.open_drift(would, would.hosts[0]) == (MISSING,)


def test_a_cloud_has_the_clouds_checks_and_a_machine_the_others() -> None:
    report = check(ok("controller-0"), unreachable("worker-0"), ok("openstack"), between=directions())
    layers = [{one.layer for one in reading.checks_of(report, host)} for host in report.hosts]
    assert layers == [{"kernel", "persisted", "host"}, {"kernel", "persisted", "host"}, {"cloud"}]
    alone = check(drifted("openstack", PAIR))
    assert {one.layer for one in reading.checks_of(alone, alone.hosts[0])} == {"cloud"}


def test_the_command_that_fixes_names_the_host() -> None:
    assert reading.fix_for(MISSING.drift_class, "worker-1").endswith("--limit worker-1")
