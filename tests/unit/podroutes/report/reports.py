"""Reports of drift checks and of provisioning, as short to write as the tests need them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from podroutes.drift.findings import Direction, DirectionState, Finding, HealedFinding, new_finding
from podroutes.outcomes import ChangeRecord, HostOutcome, Outcome, RunReport

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NODES = ("controller-0", "worker-0", "worker-1")

MISSING = new_finding(
    "route-missing", "10.200.1.0/24", "a pod CIDR has no route: 10.200.1.0/24", expected="10.200.1.0/24 via 10.240.0.21"
)
FOREIGN = new_finding("foreign-route", "10.200.9.0/24 via 10.240.0.9", "not ours, left alone")
PAIR = new_finding("address-pair-missing", "port of worker-1", "10.200.1.0/24 is not let through")
NO_ANSWER = new_finding("host-unreachable", "host", "no answer from 10.240.0.21 within 10 s")
NOT_UNDERSTOOD = new_finding("result-unknown", "host", "sudo was refused")
CHANGE = ChangeRecord(
    layer="routes",
    action="add",
    subject="10.200.1.0/24",
    before="",
    after="10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
    reason="missing",
)


def ok(host: str, *findings: Finding) -> HostOutcome:
    """A host as it should be; with notices, if any."""
    return HostOutcome(host=host, outcome=Outcome.OK, findings=findings, commands=1, seconds=0.25)


def drifted(host: str, *findings: Finding) -> HostOutcome:
    """A host that has drifted."""
    found = findings or (MISSING,)
    return HostOutcome(host=host, outcome=Outcome.DRIFT, reason=f"{len(found)} findings", findings=found, seconds=0.5)


def unreachable(host: str) -> HostOutcome:
    """A host that did not answer."""
    return HostOutcome(
        host=host,
        outcome=Outcome.UNREACHABLE,
        reason=NO_ANSWER.message,
        error="UnreachableError",
        findings=(NO_ANSWER,),
    )


def failed(host: str) -> HostOutcome:
    """A host that answered and could not be checked."""
    return HostOutcome(
        host=host,
        outcome=Outcome.FAILED,
        reason=NOT_UNDERSTOOD.message,
        error="PrivilegeError",
        findings=(NOT_UNDERSTOOD,),
    )


def skipped(host: str) -> HostOutcome:
    """A host that was never tried."""
    return HostOutcome(host=host, outcome=Outcome.SKIPPED, reason="interrupted before it was started")


def changed(host: str, *findings: Finding) -> HostOutcome:
    """A host that the run has changed, or would change."""
    return HostOutcome(host=host, outcome=Outcome.CHANGED, changes=(CHANGE,), findings=findings, seconds=0.5)


def directions(*cut: tuple[str, str], unknown: Sequence[str] = ()) -> tuple[Direction, ...]:
    """All directions between NODES; those named are cut, those of unknown hosts unknown."""
    found = []
    for source in NODES:
        for target in NODES[1:]:
            if source == target:
                continue
            state: DirectionState = (
                "cut" if (source, target) in cut else "unknown" if {source, target} & set(unknown) else "ok"
            )
            reason = {"cut": f"{source} has no way to {target}", "unknown": "could not be read", "ok": ""}[state]
            found.append(Direction(source=source, target=target, state=state, reason=reason))
    return tuple(found)


def check(
    *hosts: HostOutcome,
    between: tuple[Direction, ...] = (),
    started: datetime = STARTED,
    healed: tuple[HealedFinding, ...] = (),
    interrupted: bool = False,
) -> RunReport:
    """A drift check's report."""
    return RunReport(
        runbook="drift_check",
        dry_run=True,
        started=started,
        seconds=1.5,
        hosts=hosts,
        directions=between,
        healed=healed,
        interrupted=interrupted,
    )


def fixed(*hosts: HostOutcome) -> RunReport:
    """The report of a drift check with --fix."""
    return replace(check(*hosts), dry_run=False)


def provisioning(*hosts: HostOutcome, dry_run: bool = False) -> RunReport:
    """Provisioning's report."""
    return RunReport(runbook="provision", dry_run=dry_run, started=STARTED, seconds=1.5, hosts=hosts)
