"""The shape of every changing task: collect, plan, apply what differs, verify."""

from collections.abc import Mapping
from typing import cast

from nornir.core.task import Result, Task

from podroutes.errors import HostConflictError, UsageError, VerificationError
from podroutes.host.changes import Change, HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.host import Planner
from podroutes.report.diff import diff_of
from tasks.apply import ApplyResult, apply_changes
from tasks.facts import collect_facts, take_state
from tasks.record import Record, reason_of

# The changes that a person has said yes to, by host.
Approved = Mapping[str, tuple[Change, ...]]


class ChangeResult(Record, kw_only=True):
    """What became of one host.

    Attributes:
        changes: Planned; made unless it is a dry run or the task failed.
        notes: What a person should know.
        state: What was read last; None if nothing could be read.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    state: HostState | None = None

    def __str__(self) -> str:
        """One line, for a person."""
        done = f"{len(self.changes)} changes, {self.commands} remote commands, {self.seconds:.2f} s"
        return done if self.error is None else f"{reason_of(self.error)} ({done})"

    # What was read may hold files that are not ours; and this is what Nornir's `print_result` prints.
    __repr__ = __str__


def ensure(task: Task, planner: Planner, *, approved: Approved | None = None) -> Result:
    """Make a host what a planner plans; under a dry run, only plan it.

    Args:
        task: Nornir's task.
        planner: What the host is to have.
        approved: The changes that a person has said yes to, by host; another plan is refused then.

    Returns:
        A `ChangeResult` as result, with diff and `changed`, the same in a dry run and not. A host that can't be made so
        has failed, with the error as exception.
    """
    result = ChangeResult()
    result.fill(lambda: _ensure(task, planner, approved, result))
    return nornir_result(task, result)


def nornir_result(task: Task, result: ChangeResult) -> Result:
    """Nornir's result of a host."""
    return Result(
        host=task.host,
        result=result,
        diff=diff_of(result.changes),
        changed=bool(result.changes) and result.error is None,
        failed=result.error is not None,
        exception=result.error,
    )


def node_of(task: Task, plan: NetworkPlan) -> Node:
    """The machine that a task is for.

    Raises:
        UsageError: It is none whose routes are managed.
    """
    node = plan.nodes.get(task.host.name)
    if node is None or not node.manage_routes:
        message = f"{task.host.name} is not a machine whose routes are managed; filter it out"
        raise UsageError(message)
    return node


def is_to_change(task: Task, planned: HostPlan, approved: Approved | None, result: ChangeResult) -> bool:
    """Whether a plan's changes are to be made now; the plan goes into the result.

    Raises:
        HostConflictError: Something contradicts the plan, or nobody has approved it.
    """
    result.notes = planned.notes
    if planned.conflicts:
        raise HostConflictError("; ".join(planned.conflicts))
    will_change = bool(planned.changes) and not task.is_dry_run()
    if will_change and approved is not None and approved.get(task.host.name) != planned.changes:
        message = "it has changed since the changes were shown: nothing was done; run this again"
        raise HostConflictError(message)
    result.changes = planned.changes
    return will_change


def _ensure(task: Task, planner: Planner, approved: Approved | None, result: ChangeResult) -> None:
    node = node_of(task, planner.plan)
    result.commands = 1
    result.state = state = take_state(task.run(collect_facts, plan=planner.plan))
    planned = planner.plan_host(node, state)
    if is_to_change(task, planned, approved, result):
        result.commands = 2
        results = task.run(apply_changes, plan=planner.plan, changes=planned.changes)
        applied = cast("ApplyResult", results[0].result)
        results[0].result = applied.state
        result.state = state = take_state(results)
        result.notes += applied.notes
        _verify(planner.plan_host(node, state), planner.unresolved(node, state), applied.notes)
    elif not planned.changes:
        _verify(planned, planner.unresolved(node, state))
    elif planned.unresolved:
        raise HostConflictError("; ".join(planned.unresolved))


def _verify(left: HostPlan, unresolved: tuple[str, ...], notes: tuple[str, ...] = ()) -> None:
    still = [f"{change.subject}: still {change.finding or change.reason}" for change in left.changes]
    lines = [*left.conflicts, *still, *left.unresolved, *unresolved]
    if lines:
        raise VerificationError("; ".join([*lines, *notes]))
