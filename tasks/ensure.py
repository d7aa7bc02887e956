"""The shape of every changing task: collect, plan, apply what differs, verify."""

from typing import Protocol, cast

from msgspec import Struct
from nornir.core.task import Result, Task

from podroutes.errors import HostConflictError, VerificationError
from podroutes.host.changes import Change, HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.report.diff import diff_of
from tasks.apply import ApplyResult, apply_changes
from tasks.facts import collect_facts, take_state
from tasks.record import fill


class Work(Protocol):
    """What a run is to achieve on hosts; pure decisions."""

    @property
    def plan(self) -> NetworkPlan:
        """The cluster's network."""
        ...

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """What one host needs."""
        ...

    def remaining(self, node: Node, state: HostState) -> HostPlan:
        """What one host still lacks."""
        ...


class ChangeResult(Struct):
    """What became of one host; filled in as far as the task came, so that a failure tells what it had done.

    Attributes:
        changes: Planned; made unless it is a dry run or the task failed. Once made, perhaps without files' contents.
        notes: What a person should know.
        state: What was read last; None if nothing could be read, or all is as wanted and nobody asked for it.
        commands: Remote commands that were run.
        seconds: Time from the start to the end, in seconds.
        error: What went wrong; None if nothing did.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    state: HostState | None = None
    commands: int = 0
    seconds: float = 0.0
    error: Exception | None = None

    def __repr__(self) -> str:
        """Without what was read, which may hold files that are not ours."""
        return f"ChangeResult({self})"

    def __str__(self) -> str:
        """One line, for a person."""
        return f"{len(self.changes)} changes, {self.commands} remote commands, {self.seconds:.2f} s"


def ensure(
    task: Task,
    work: Work,
    *,
    approved: dict[str, tuple[Change, ...]] | None = None,
    keep_state: bool = False,
    keep_contents: bool = True,
) -> Result:
    """Make a host what `work` wants; under a dry run, only plan it.

    Args:
        task: Nornir's task.
        work: What the host is to have.
        approved: The changes that a person has said yes to, by host; another plan is refused then.
        keep_state: Whether somebody wants to know what was read last, of a host that is as wanted.
        keep_contents: Whether somebody wants to know what files hold, of a host that was made as wanted; each has a
            file of its own, with a line for every worker.

    Returns:
        A `ChangeResult` as result, with diff and `changed`, the same in a dry run and not. A host that can't be made so
        has failed, with the error as exception.
    """
    ensured = ChangeResult()
    fill(ensured, lambda: _ensure(task, work, approved, ensured))
    if ensured.error is None and not keep_state:
        ensured.state = None
    if ensured.error is None and not keep_contents and not task.is_dry_run():
        ensured.changes = tuple([change.without_content() for change in ensured.changes])
    return result_of(task, ensured)


class NornirChangeResult(Result):
    """Nornir's result of a host; its diff is worked out when somebody asks for it, which takes longer than planning."""

    def __init__(self, task: Task, ensured: ChangeResult) -> None:
        super().__init__(
            host=task.host,
            result=ensured,
            changed=bool(ensured.changes) and ensured.error is None,
            failed=ensured.error is not None,
            exception=ensured.error,
        )

    @property
    def diff(self) -> str:
        """What is there and what will be."""
        return diff_of(self.result.changes)

    @diff.setter
    def diff(self, text: str) -> None:
        """Nornir's own constructor sets it, to nothing."""


def result_of(task: Task, ensured: ChangeResult) -> Result:
    """Nornir's result of a host, the same in a dry run and not."""
    return NornirChangeResult(task, ensured)


def _ensure(task: Task, work: Work, approved: dict[str, tuple[Change, ...]] | None, ensured: ChangeResult) -> None:
    node = work.plan.nodes[task.host.name]
    ensured.commands = 1
    state = take_state(task.run(collect_facts, plan=work.plan))
    ensured.state = state
    host_plan = work.plan_host(node, state)
    ensured.notes = host_plan.notes
    if host_plan.conflicts:
        raise HostConflictError("; ".join(host_plan.conflicts))
    will_change = bool(host_plan.changes) and not task.is_dry_run()
    if will_change and approved is not None and approved.get(node.name) != host_plan.changes:
        message = "it has changed since the changes were shown: nothing was done; run this again"
        raise HostConflictError(message)
    ensured.changes = host_plan.changes
    if will_change:
        ensured.commands = 2
        results = task.run(apply_changes, plan=work.plan, changes=host_plan.changes)
        applied = cast("ApplyResult", results[0].result)
        results[0].result = applied.state
        state = take_state(results)
        ensured.state = state
        ensured.notes += applied.notes
    if not host_plan.changes:
        _verify(work.remaining(node, state))
    elif will_change:
        _verify(work.remaining(node, state), applied.notes)
    elif host_plan.unresolved:
        raise HostConflictError("; ".join(host_plan.unresolved))


def _verify(left: HostPlan, notes: tuple[str, ...] = ()) -> None:
    still = [f"{change.subject}: still {change.finding or change.reason}" for change in left.changes]
    lines = [*left.conflicts, *still, *left.unresolved]
    if lines:
        raise VerificationError("; ".join([*lines, *notes]))
