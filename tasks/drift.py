"""Checking a host for drift: reads, and never writes."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace
from nornir.core.task import MultiResult, Result, Task

from podroutes.drift.detection import find_drift, finding_of_error, findings_of
from podroutes.drift.findings import Finding
from podroutes.host.changes import Change
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import Node
from podroutes.outcomes import HostOutcome, Outcome
from podroutes.plan.host import Provisioning
from tasks.facts import collect_facts, take_state
from tasks.outcome import failure_of, outcome_of, reason_of
from tasks.record import fill


class CheckResult(Struct):
    """What was found on one host; filled in as far as the task came.

    Attributes:
        findings: What differs.
        changes: What provisioning would do about it.
        state: What was read; None of a cloud, and if nothing could be read. Where nothing is to be changed, it is
            without its files, which have been compared.
        commands: Remote commands that were run.
        seconds: Time from the start to the end, in seconds.
        error: What went wrong; None if nothing did.
    """

    findings: tuple[Finding, ...] = ()
    changes: tuple[Change, ...] = ()
    state: HostState | None = None
    commands: int = 0
    seconds: float = 0.0
    error: Exception | None = None

    def __repr__(self) -> str:
        """Without what was read, which may hold files that are not ours."""
        return f"CheckResult({self})"

    def __str__(self) -> str:
        """One line for each finding, for a person."""
        return "\n".join(finding.message for finding in self.findings) or "as wanted"


def check_drift(task: Task, work: Provisioning) -> Result:
    """Compare a host, or a cloud, with what it should have.

    Args:
        task: Nornir's task.
        work: What provisioning would do; nothing of it is done.

    Returns:
        A `CheckResult` as result. A host that can't be read has failed, with the error as exception.
    """
    checked = CheckResult()
    fill(checked, lambda: _check(task, work, checked))
    if checked.error is not None:
        checked.findings = (finding_of_error(checked.error, reason_of(checked.error)),)
    return Result(host=task.host, result=checked, failed=checked.error is not None, exception=checked.error)


def _check(task: Task, work: Provisioning, checked: CheckResult) -> None:
    if task.host.name in work.plan.clouds:
        _check_cloud(task, work, checked)
    else:
        _check_machine(task, work, work.plan.nodes[task.host.name], checked)


def _check_machine(task: Task, work: Provisioning, node: Node, checked: CheckResult) -> None:
    checked.commands = 1
    state = take_state(task.run(collect_facts, plan=work.plan))
    checked.state = state
    checked.findings = find_drift(work, node, state)
    checked.changes = work.plan_host(node, state).changes
    if not checked.changes:
        checked.state = replace(state, files={})


def _check_cloud(task: Task, work: Provisioning, checked: CheckResult) -> None:
    # Only an inventory with a cloud is to load the SDK.
    from podroutes.plan.cloud import plan_cloud  # noqa: PLC0415
    from tasks.cloud import collect_cloud, connection_to  # noqa: PLC0415

    cloud = work.plan.clouds[task.host.name]
    plan = plan_cloud(work.plan, cloud, collect_cloud(connection_to(task, cloud), cloud)).host_plan
    checked.findings = tuple(findings_of(plan, conflict="cloud-conflict"))
    checked.changes = plan.changes


def drift_outcome_of(host: str, result: MultiResult) -> HostOutcome:
    """Classify what a check left behind; of another task, as `outcome_of` does.

    Args:
        host: The host's name.
        result: Nornir's results of it, the task's own first.
    """
    checked = result[0].result
    if not isinstance(checked, CheckResult):
        return outcome_of(host, result)
    if checked.error is not None:
        outcome, reason = failure_of(checked.error), reason_of(checked.error)
    elif any(finding.is_drift for finding in checked.findings):
        outcome, reason = Outcome.DRIFT, count_of(checked.findings)
    else:
        outcome, reason = Outcome.OK, ""
    return HostOutcome(
        host=host,
        outcome=outcome,
        reason=reason,
        error="" if checked.error is None else type(checked.error).__name__,
        findings=checked.findings,
        commands=checked.commands,
        seconds=round(checked.seconds, 3),
    )


def count_of(findings: Sequence[Finding]) -> str:
    """How many findings are drift, for the recap."""
    drifted = sum(finding.is_drift for finding in findings)
    return f"{drifted} finding{'s' if drifted != 1 else ''}"
