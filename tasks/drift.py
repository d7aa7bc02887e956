"""Checking a host for drift: reads, and never writes."""

from collections.abc import Sequence

from nornir.core.task import MultiResult, Result, Task

from podroutes.drift.detection import find_drift, finding_of_error, findings_of
from podroutes.drift.findings import Finding
from podroutes.host.changes import Change
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.outcomes import HostOutcome, Outcome
from tasks.ensure import node_of
from tasks.facts import collect_facts, take_state
from tasks.outcome import failure_of, outcome_of
from tasks.provision import provisioning
from tasks.record import Record, reason_of


class CheckResult(Record, kw_only=True):
    """What was found on one host.

    Attributes:
        findings: What differs.
        changes: What provisioning would do about it.
        state: What was read; None of a cloud, and if nothing could be read.
    """

    findings: tuple[Finding, ...] = ()
    changes: tuple[Change, ...] = ()
    state: HostState | None = None

    def __str__(self) -> str:
        """One line for each finding, for a person."""
        return "\n".join(finding.message for finding in self.findings) or "up to date"

    # What was read may hold files that are not ours; and this is what Nornir's `print_result` prints.
    __repr__ = __str__


def check_drift(task: Task, plan: NetworkPlan) -> Result:
    """Compare a host, or a cloud, with what it should have.

    Args:
        task: Nornir's task.
        plan: The cluster's network.

    Returns:
        A `CheckResult` as result. A host that can't be read has failed, with the error as exception.
    """
    checked = CheckResult()
    check = _check_cloud if task.host.name in plan.clouds else _check_machine
    checked.fill(lambda: check(task, plan, checked))
    if checked.error is not None:
        checked.findings = (finding_of_error(checked.error, reason_of(checked.error)),)
    return Result(host=task.host, result=checked, failed=checked.error is not None, exception=checked.error)


def _check_machine(task: Task, plan: NetworkPlan, checked: CheckResult) -> None:
    node, planner = node_of(task, plan), provisioning(plan)
    checked.commands = 1
    checked.state = state = take_state(task.run(collect_facts, plan=plan))
    checked.findings = find_drift(planner, node, state)
    checked.changes = planner.plan_host(node, state).changes


def _check_cloud(task: Task, plan: NetworkPlan, checked: CheckResult) -> None:
    # Only an inventory with a cloud is to load the SDK.
    from podroutes.plan.cloud import plan_cloud  # noqa: PLC0415
    from tasks.cloud import collect_cloud, connection_to  # noqa: PLC0415

    cloud = plan.clouds[task.host.name]
    planned = plan_cloud(plan, cloud, collect_cloud(connection_to(task, cloud), cloud)).host_plan
    checked.findings = tuple(findings_of(planned, conflict="cloud-conflict"))
    checked.changes = planned.changes


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
