"""What runbooks that change hosts have in common: plan, show, ask, apply, report."""

import functools
import sys
from collections.abc import Callable
from typing import TextIO

from msgspec.structs import replace
from nornir.core.task import AggregatedResult, Result, Task

from podroutes.host.changes import Change
from podroutes.outcomes import Outcome, RunReport
from runbooks._cli import Options
from runbooks._run import Run
from runbooks._session import Session
from tasks.ensure import ChangeResult, Work, ensure


def change_hosts(session: Session, options: Options, runbook: str, work: Work, *, remove: bool = False) -> int:
    """Make the chosen hosts what a work wants.

    Args:
        session: What to work with, locked.
        options: What the engineer asked for.
        runbook: Its name.
        work: What hosts are to have.
        remove: Whether it is about taking back what is ours.

    Returns:
        The exit code.
    """
    # With the report on standard output, people read on standard error.
    file = sys.stderr if options.json == "-" else sys.stdout
    run = Run(session, runbook, verbose=options.verbose)
    contents = bool(options.diff or options.json or options.verbose)
    task = functools.partial(ensure_any, work=work, remove=remove, keep_contents=contents)
    report = _run(run, session, task, options, file)
    # Imported meanwhile.
    from podroutes.report.console import new_console, print_diff, print_failures, print_recap

    console = new_console(file)
    if options.diff:
        print_diff(console, report.hosts)
    print_recap(console, report, unmanaged=session.unmanaged, notes=session.notes)
    print_failures(console, report)
    if options.json:
        from podroutes.report.json_report import write_json

        write_json(report, options.json)
    return report.exit_code


def ensure_any(
    task: Task,
    work: Work,
    approved: dict[str, tuple[Change, ...]] | None = None,
    *,
    remove: bool = False,
    keep_state: bool = False,
    keep_contents: bool = True,
) -> Result:
    """Make a machine, or the cloud that machines run in, what the work wants.

    Args:
        task: Nornir's task.
        work: What machines are to have.
        approved: The changes that a person has said yes to, by host.
        remove: Whether it is about taking back.
        keep_state: As `tasks.ensure.ensure`.
        keep_contents: As `tasks.ensure.ensure`.

    Returns:
        As `tasks.ensure.ensure`.
    """
    if task.host.name in work.plan.clouds:
        # Only an inventory with a cloud is to load the SDK.
        from tasks.ensure_cloud import ensure_cloud

        return ensure_cloud(task, work.plan, remove=remove, approved=approved)
    return ensure(task, work, approved=approved, keep_state=keep_state, keep_contents=keep_contents)


def _run(run: Run, session: Session, task: Callable[..., Result], options: Options, file: TextIO) -> RunReport:
    if options.dry_run or options.yes or not sys.stdin.isatty():
        title = f"{run.runbook}, dry run" if options.dry_run else run.runbook
        report, _ = run.over_hosts(task, title=title, dry_run=options.dry_run, hosts=session.hosts)
        return report
    planned, result = run.over_hosts(task, title="plan", dry_run=True, hosts=session.hosts)
    approved = _approved(planned, result)
    if not approved or planned.interrupted:
        return replace(planned, dry_run=False) if not approved else planned
    from podroutes.report.console import new_console, print_diff, print_recap

    console = new_console(file)
    print_diff(console, planned.hosts)
    print_recap(console, planned, unmanaged=session.unmanaged, notes=session.notes)
    changes = sum(len(host_changes) for host_changes in approved.values())
    if not _ask(f"Apply {changes} changes to {len(approved)} hosts? [y/N] "):
        console.print("Nothing was changed.")
        return planned
    applied, _ = run.over_hosts(task, title=run.runbook, dry_run=False, hosts=tuple(approved), approved=approved)
    done = {host.host: host for host in applied.hosts}
    return replace(applied, hosts=tuple(done.get(host.host, host) for host in planned.hosts))


def _approved(report: RunReport, result: AggregatedResult) -> dict[str, tuple[Change, ...]]:
    """The planned changes of the hosts that would be changed."""
    approved = {}
    for host in report.hosts:
        ensured = result[host.host][0].result if host.host in result else None
        if host.outcome == Outcome.CHANGED and isinstance(ensured, ChangeResult):
            approved[host.host] = ensured.changes
    return approved


def _ask(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
