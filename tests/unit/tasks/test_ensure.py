"""Collect, plan, apply, verify, over Nornir and simulated hosts."""

import hashlib
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from nornir.core.task import MultiResult

from podroutes import errors
from podroutes.errors import RemoteTimeoutError, UnreachableError
from podroutes.host.change_script import apply_script
from podroutes.host.changes import Change
from podroutes.host.managed_files import DATA_PATH
from podroutes.host.state import SysctlSetting
from podroutes.outcomes import HostOutcome
from podroutes.plan.host import Planner
from podroutes.plan.routes_service import ServiceFiles
from podroutes.script_runner import ScriptResult
from tasks.ensure import ChangeResult, ensure
from tasks.forwarding import Forwarding, ensure_forwarding
from tasks.outcome import outcome_of
from tasks.provision import Deprovisioning, provisioning
from tasks.routes import Routes, ensure_routes
from tasks.service_files import load_service_files
from tests.unit.podroutes.builders import ipv4_cluster, link, state
from tests.unit.podroutes.plan.simulated_host import REDIRECTS, SimulatedHost
from tests.unit.tasks.fake_hosts import FakeHost, nornir_with

PLAN = ipv4_cluster()
FILES = ServiceFiles(script="#!/bin/bash\n# Managed by pod-routes\n", unit="# Managed by pod-routes\n[Unit]\n")
PLANNER = provisioning(PLAN, FILES)
NAME = "worker-0"
APPLIES = "flock --nonblock"
OVERRULING = SysctlSetting("/etc/sysctl.d/99-site.conf", "net.ipv4.ip_forward", "0", "net.ipv4.ip_forward=0")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = SimulatedHost(state(link("eth0", "10.240.0.20/24"), sysctls={"net.ipv4.ip_forward": "0", REDIRECTS: "1"}))
    fake = FakeHost(host, PLAN)

    def keep_changes(nonce: str, changes: tuple[Change, ...], facts: str) -> str:
        fake.pending = changes
        return apply_script(nonce, changes, facts)

    monkeypatch.setattr("tasks.apply.apply_script", keep_changes)
    return fake


def run(
    fake: FakeHost | Exception,
    planner: Planner = PLANNER,
    *,
    dry_run: bool = False,
    approved: dict[str, tuple[Change, ...]] | None = None,
) -> tuple[HostOutcome, MultiResult]:
    result = nornir_with({NAME: fake}, dry_run=dry_run).run(task=ensure, planner=planner, approved=approved)[NAME]
    return outcome_of(NAME, result), result


def summary(outcome: HostOutcome) -> tuple[str, str, str, int]:
    return (str(outcome.outcome), outcome.error, outcome.reason, outcome.commands)


def test_a_run_changes_a_second_one_does_not(fake: FakeHost) -> None:
    first, result = run(fake)
    assert summary(first) == ("changed", "", "", 2)
    assert [(change.layer, change.action) for change in first.changes] == [
        ("forwarding", "write"), ("forwarding", "set"), ("forwarding", "write"),
        ("routes", "add"), ("routes", "add"),
        ("routes_service", "write"), ("routes_service", "write"), ("routes_service", "write"),
        ("routes_service", "enable"), ("routes_service", "start"),
    ]  # fmt: skip
    assert (result[0].changed, result[0].failed) == (True, False)
    assert "routes: add 10.200.1.0/24 (missing)" in result[0].diff
    second, result = run(fake)
    assert summary(second) == ("ok", "", "", 1)
    assert (second.changes, result[0].changed, result[0].diff) == ((), False, "")


def test_a_host_need_not_send_back_what_is_the_same_on_every_host(fake: FakeHost) -> None:
    run(fake)
    files = load_service_files()
    known = " ".join(hashlib.sha256(text.encode()).hexdigest() for text in (files.script, files.unit))
    assert len(fake.scripts) == 2
    assert all(f"\nknown='{known}'\n" in script for script in fake.scripts)


def test_a_dry_run_tells_the_same_and_changes_nothing(fake: FakeHost) -> None:
    before = fake.host.state
    dry, dry_result = run(fake, dry_run=True)
    assert summary(dry) == ("changed", "", "", 1)
    assert fake.host.state == before
    wet, wet_result = run(fake)
    assert wet.changes == dry.changes
    assert (dry_result[0].diff, dry_result[0].changed) == (wet_result[0].diff, wet_result[0].changed)


def test_deprovisioning_takes_it_all_back(fake: FakeHost) -> None:
    before = fake.host.state
    run(fake)
    assert summary(run(fake, Deprovisioning(PLAN))[0])[0] == "changed"
    assert summary(run(fake, Deprovisioning(PLAN))[0])[0] == "ok"
    assert fake.host.state == before


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (UnreachableError("no answer within 10 s"), "unreachable", "no answer within 10 s"),
        (errors.HostKeyError("its key has changed"), "unreachable", "its key has changed"),
        (errors.AuthenticationError("it refused the key"), "unreachable", "it refused the key"),
        (errors.PrivilegeError("sudo refused"), "failed", "sudo refused"),
        (RemoteTimeoutError("did not\nend in time"), "failed", "did not end in time"),
        (KeyError("x"), "failed", "internal error, KeyError: 'x' (-v shows where)"),
    ],
)
def test_a_host_that_can_not_be_read(error: Exception, outcome: str, reason: str) -> None:
    found, result = run(error)
    assert summary(found) == (outcome, type(error).__name__, reason, 1)
    assert result[0].exception is error
    assert (result[0].failed, found.changes) == (True, ())


def test_an_error_on_the_way_is_kept_with_what_was_attempted(fake: FakeHost) -> None:
    def break_down(script: str, result: ScriptResult) -> ScriptResult:
        if APPLIES not in script:
            return result
        message = "the connection broke"
        raise UnreachableError(message)

    fake.answer = break_down
    outcome, _ = run(fake)
    assert summary(outcome) == ("unreachable", "UnreachableError", "the connection broke", 2)
    assert len(outcome.changes) == 10


def only_when_applying(change: Callable[[ScriptResult], ScriptResult]) -> Callable[[str, ScriptResult], ScriptResult]:
    return lambda script, result: change(result) if APPLIES in script else result


@pytest.mark.parametrize(
    ("status", "said", "error", "reason"),
    [
        (75, "", "HostConflictError", "another run is changing this host; nothing was changed"),
        (
            1,
            "> write /x\n> change 2 routes\nRTNETLINK answers: No\nnone of the route changes was kept\n",
            "RemoteCommandError",
            "a change failed: change 2 routes: RTNETLINK answers: No; none of the route changes was kept",
        ),
        (1, "> write /x\n", "RemoteCommandError", "a change failed: write /x: it said nothing"),
        (2, "", "RemoteCommandError", "a change failed: it said nothing"),
        (2, "sh: flock: not found\n", "RemoteCommandError", "a change failed: sh: flock: not found"),
        # a step's own status, which a lock that is held has, too
        (75, "> write /x\nbusy\n", "RemoteCommandError", "a change failed: write /x: busy"),
        (
            1,
            "> lock /run/pod-routes.lock\nflock of util-linux is needed; it said: nothing\n",
            "RemoteCommandError",
            "a change failed: lock /run/pod-routes.lock: flock of util-linux is needed; it said: nothing",
        ),
    ],
)
def test_a_change_that_fails(fake: FakeHost, status: int, said: str, error: str, reason: str) -> None:
    fake.status, fake.said = status, said
    outcome, result = run(fake)
    assert summary(outcome) == ("failed", error, reason, 2)
    assert len(outcome.changes) == 10
    assert not result[0].changed


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (ScriptResult(137, "", "Killed\n"), "RemoteCommandError", "the changes did not end (exit status 137): Killed"),
        (ScriptResult(1, "", ""), "RemoteCommandError", "the changes did not end (exit status 1): it said nothing"),
    ],
)
def test_an_answer_without_an_end(fake: FakeHost, answer: ScriptResult, error: str, reason: str) -> None:
    fake.answer = only_when_applying(lambda _: answer)
    assert summary(run(fake)[0]) == ("failed", error, reason, 2)


def test_a_host_that_can_not_be_read_after_the_changes(fake: FakeHost) -> None:
    fake.answer = only_when_applying(lambda result: replace(result, stdout=result.stdout.rpartition("@")[0]))
    outcome, _ = run(fake)
    assert outcome.error == "FactsError"
    assert outcome.reason.startswith("the host's answer ends too early")


def test_reading_that_fails_says_what_the_host_said(fake: FakeHost) -> None:
    fake.answer = lambda _script, _result: ScriptResult(127, "", "noise\nsh: 1: ip: not found\n\n")
    assert summary(run(fake)[0]) == (
        "failed", "RemoteCommandError", "reading the host failed with exit status 127: sh: 1: ip: not found", 1,
    )  # fmt: skip


def test_what_a_step_had_to_say_is_told(fake: FakeHost) -> None:
    fake.said = "> disable x\n! x failed as it was stopped: no list\n> remove y\n"
    outcome, _ = run(fake)
    assert (outcome.outcome, outcome.notes) == ("changed", ("x failed as it was stopped: no list",))
    # and where something is left, it is a part of why
    fake.host.sysctls["net.ipv4.ip_forward"] = "0"
    fake.host.set_read_only(boot_sysctls=(OVERRULING,))
    outcome, _ = run(fake)
    assert outcome.error == "VerificationError"
    assert outcome.reason.endswith("; x failed as it was stopped: no list")


def test_a_unit_that_waits_for_its_next_attempt_is_not_as_wanted(fake: FakeHost) -> None:
    real = fake.host.apply

    def start_later(changes: tuple[Change, ...]) -> None:
        real(changes)
        fake.host.unit = replace(fake.host.unit, active="activating")

    fake.host.apply = start_later  # type: ignore[method-assign]
    assert summary(run(fake)[0]) == ("failed", "VerificationError", "routes.service: still it is not active", 2)


def test_what_is_not_so_after_the_changes_is_a_failure(fake: FakeHost) -> None:
    """The commands all succeed, and the host still lacks what was planned."""
    real = fake.host.apply

    def disobey(changes: tuple[Change, ...]) -> None:
        real(changes)
        fake.host.sysctls["net.ipv4.ip_forward"] = "0"
        fake.host.table.run("route del 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201")

    fake.host.apply = disobey  # type: ignore[method-assign]
    outcome, result = run(fake)
    assert (str(outcome.outcome), outcome.error) == ("failed", "VerificationError")
    assert outcome.reason.startswith("net.ipv4.ip_forward: still IPv4 forwarding is off; 10.200.1.0/24: still missing")
    assert "the kernel has no route to 10.200.1.1 (worker-1's pods)" in outcome.reason
    assert isinstance(result[0].result, ChangeResult)
    assert result[0].result.state is not None


def test_what_was_read_last_is_in_the_result(fake: FakeHost) -> None:
    for expected in ("changed", "ok"):
        outcome, result = run(fake)
        assert str(outcome.outcome) == expected
        assert result[0].result.state.sysctls["net.ipv4.ip_forward"] == "1"


def test_a_host_that_fails_keeps_what_was_to_be_written(fake: FakeHost) -> None:
    real = fake.host.apply

    def forget_a_file(changes: tuple[Change, ...]) -> None:
        real(tuple(change for change in changes if change.subject != DATA_PATH))

    fake.host.apply = forget_a_file  # type: ignore[method-assign]
    _, result = run(fake)
    assert result[0].failed
    assert "route 10.200.1.0/24" in next(
        change.after for change in result[0].result.changes if change.subject == DATA_PATH
    )


def test_a_conflict_changes_nothing(fake: FakeHost) -> None:
    fake.host.set_read_only(links={"eth0": link("eth0", "10.240.0.20/24", up=False)})
    outcome, _ = run(fake)
    assert summary(outcome) == ("failed", "HostConflictError", "eth0 is down: set it up, then run this again", 1)
    assert outcome.changes == ()
    assert len(fake.scripts) == 1


def test_only_what_was_shown_is_done(fake: FakeHost) -> None:
    _, planned = run(fake, dry_run=True)
    shown = {NAME: planned[0].result.changes}
    fake.host.sysctls["net.ipv4.ip_forward"] = "1"
    before = fake.host.state
    outcome, _ = run(fake, approved=shown)
    assert summary(outcome)[:3] == (
        "failed",
        "HostConflictError",
        "it has changed since the changes were shown: nothing was done; run this again",
    )
    assert fake.host.state == before
    fake.host.sysctls["net.ipv4.ip_forward"] = "0"
    assert summary(run(fake, approved=shown)[0]) == ("changed", "", "", 2)


@pytest.mark.parametrize(("task", "layers"), [(ensure_forwarding, {"forwarding"}), (ensure_routes, {"routes"})])
def test_a_task_alone_does_its_part_alone(fake: FakeHost, task: Callable[..., object], layers: set[str]) -> None:
    nornir = nornir_with({NAME: fake})
    outcome = outcome_of(NAME, nornir.run(task=task, plan=PLAN)[NAME])
    assert str(outcome.outcome) == "changed"
    assert {change.layer for change in outcome.changes} == layers
    assert str(outcome_of(NAME, nornir.run(task=task, plan=PLAN)[NAME]).outcome) == "ok"


def test_forwarding_that_is_overruled_at_boot_fails_with_its_changes_made(fake: FakeHost) -> None:
    fake.host.set_read_only(boot_sysctls=(OVERRULING,))
    outcome, _ = run(fake, Forwarding(PLAN))
    assert (str(outcome.outcome), outcome.error) == ("failed", "VerificationError")
    assert fake.host.sysctls["net.ipv4.ip_forward"] == "1"
    assert summary(run(fake, Forwarding(PLAN), dry_run=True)[0])[0] == "failed"


def test_routes_that_a_more_specific_one_leads_elsewhere_fail(fake: FakeHost) -> None:
    run(fake, Routes(PLAN))
    fake.host.table.run("route append 10.200.1.0/28 via 10.240.0.99 dev eth0 proto boot")
    outcome, _ = run(fake, Routes(PLAN))
    assert (str(outcome.outcome), outcome.error) == ("failed", "VerificationError")
    assert outcome.reason == (
        "part of 10.200.1.0/24 (worker-1's pods) goes another way: 10.200.1.0/28 via 10.240.0.99 dev eth0 proto boot"
    )
