"""The task that checks a host, and what its result is taken for."""

import pytest
from msgspec.structs import replace
from nornir.core.task import MultiResult, Result

from podroutes.drift.findings import Finding, new_finding
from podroutes.errors import FactsError, PrivilegeError, UnreachableError
from podroutes.host.changes import Change
from podroutes.host.state import HostState
from podroutes.outcomes import HostOutcome
from podroutes.script_runner import ScriptResult
from tasks.drift import CheckResult, check_drift, count_of, drift_outcome_of
from tasks.ensure import ChangeResult
from tests.unit.podroutes.builders import ipv4_cluster
from tests.unit.podroutes.healthy import FILES, healthy, minus_routes, plus_routes
from tests.unit.podroutes.plan.simulated_host import SimulatedHost
from tests.unit.tasks.fake_hosts import FakeHost, nornir_with

PLAN = ipv4_cluster()
NAME = "worker-0"
HEALTHY = healthy(PLAN, NAME)
MISSING = new_finding("route-missing", "10.200.1.0/24", "missing")
NOTICE = new_finding("foreign-route", "10.200.9.0/24", "not ours")


@pytest.fixture(autouse=True)
def _the_files_of_these_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.provision.load_service_files", lambda: FILES)


def check(fake: FakeHost | Exception) -> tuple[HostOutcome, MultiResult]:
    result = nornir_with({NAME: fake}, dry_run=True).run(task=check_drift, plan=PLAN)[NAME]
    return drift_outcome_of(NAME, result), result


def on(state: HostState) -> FakeHost:
    return FakeHost(SimulatedHost(state), PLAN)


def test_a_healthy_host() -> None:
    fake = on(HEALTHY)
    outcome, result = check(fake)
    assert (str(outcome.outcome), outcome.reason, outcome.findings, outcome.commands) == ("ok", "", (), 1)
    assert len(fake.scripts) == 1
    assert not result[0].changed
    assert str(result[0].result) == "up to date"
    assert result[0].result.state.files == fake.host.state.files


def test_a_drifted_host_with_what_would_fix_it() -> None:
    fake = on(minus_routes(HEALTHY, "10.200.1.0/24"))
    before = fake.host.state
    outcome, result = check(fake)
    assert (str(outcome.outcome), outcome.reason, outcome.error) == ("drift", "2 findings", "")
    assert [finding.code for finding in outcome.findings] == ["route-missing", "unit-without-routes"]
    assert [(change.action, change.subject) for change in result[0].result.changes] == [("add", "10.200.1.0/24")]
    # Nothing of it is made, and it is not what the host's report tells as changes.
    assert (fake.host.state, outcome.changes, result.failed) == (before, (), False)
    assert str(result[0].result).startswith("no route to 10.200.1.0/24; expected: ")
    # Fixing may have to judge it again.
    assert result[0].result.state.files == before.files


def test_a_notice_leaves_a_host_ok() -> None:
    outcome, _ = check(on(plus_routes(HEALTHY, "10.200.9.0/24 via 10.240.0.1 dev eth0 proto 4")))
    assert (str(outcome.outcome), outcome.reason) == ("ok", "")
    assert [finding.code for finding in outcome.findings] == ["foreign-route"]


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (UnreachableError("no answer"), "unreachable", "host-unreachable"),
        (PrivilegeError("no sudo"), "failed", "result-unknown"),
        (ValueError("nobody foresaw this"), "failed", "result-unknown"),
    ],
)
def test_a_host_that_can_not_be_read(error: Exception, outcome: str, code: str) -> None:
    found, result = check(error)
    assert (str(found.outcome), found.error) == (outcome, type(error).__name__)
    assert [(finding.code, finding.message) for finding in found.findings] == [(code, found.reason)]
    assert result.failed
    assert "\n" not in found.reason


def test_an_answer_that_is_cut_off() -> None:
    fake = on(HEALTHY)
    fake.answer = lambda _, result: replace(result, stdout=result.stdout[: len(result.stdout) // 2])
    found, _ = check(fake)
    assert (str(found.outcome), found.error) == ("failed", FactsError.__name__)
    fake.answer = lambda _, result: ScriptResult(3, "", "sh: cannot fork\n")
    found, _ = check(fake)
    assert found.reason == "reading the host failed with exit status 3: sh: cannot fork"


@pytest.mark.parametrize(
    ("checked", "outcome", "reason"),
    [
        (CheckResult(), "ok", ""),
        (CheckResult(findings=(NOTICE,)), "ok", ""),
        (CheckResult(findings=(NOTICE, MISSING)), "drift", "1 finding"),
        (CheckResult(findings=(MISSING,), error=UnreachableError("x")), "unreachable", "x"),
    ],
)
def test_outcomes(checked: CheckResult, outcome: str, reason: str) -> None:
    result = MultiResult("check")
    result.append(Result(None, result=checked))
    found = drift_outcome_of("a", result)
    assert (str(found.outcome), found.reason, found.findings) == (outcome, reason, checked.findings)


def test_results_of_other_tasks_are_taken_for_what_they_are() -> None:
    change = Change("routes", "add", "10.200.1.0/24", "", "x", "missing", ())
    result = MultiResult("fix")
    result.append(Result(None, result=ChangeResult(changes=(change,))))
    assert str(drift_outcome_of("a", result).outcome) == "changed"
    nothing = MultiResult("fix")
    nothing.append(Result(None))
    assert str(drift_outcome_of("a", nothing).outcome) == "failed"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [((), "0 findings"), ((NOTICE,), "0 findings"), ((MISSING, NOTICE), "1 finding"), ((MISSING,) * 2, "2 findings")],
)
def test_count(findings: tuple[Finding, ...], expected: str) -> None:
    assert count_of(findings) == expected


def test_what_was_read_of_a_host_is_not_shown_with_its_result() -> None:
    state = replace(HEALTHY, route_text="secret")
    assert "secret" in repr(state)
    assert "secret" not in repr(CheckResult(findings=(MISSING,), state=state))
    assert "secret" not in repr(ChangeResult(state=state))
