"""What runbooks that change hosts have in common: plan, show, ask, apply, report."""

import functools
from collections.abc import Callable

from msgspec.structs import replace
from nornir.core.task import Result, Task

from podroutes.host.changes import Change
from podroutes.outcomes import RunReport
from podroutes.report.console import new_console, print_diff, print_failures, print_recap
from podroutes.report.styled import Console
from runbooks._approval import ask, has_to_ask, planned_changes
from runbooks._cli import Options
from runbooks._run import Run, finish
from runbooks._session import Session
from tasks.ensure import Work, ensure


def change_hosts(session: Session, options: Options, runbook: str, planner: Work, *, remove: bool = False) -> int:
    """Change the chosen hosts as a planner plans it.

    Args:
        session: What to work with, locked.
        options: What the engineer asked for.
        runbook: Its name.
        planner: Plans the changes of a host.
        remove: Whether it is about removing what is ours.

    Returns:
        The exit code.
    """
    run = Run(session, runbook, options.verbose)
    contents = bool(options.diff or options.reports or options.verbose)
    task = functools.partial(ensure_any, planner=planner, remove=remove, keep_contents=contents)
    console = new_console(options.people)
    report = _ask_and_change(run, task, console) if has_to_ask(options) else _change(run, task, options)
    if report.dry_run and not options.dry_run:
        console.print("Nothing was changed.")  # the plan is on the screen
    else:
        if options.diff:
            print_diff(console, report.hosts)
        print_recap(console, report, unmanaged=session.unmanaged, notes=session.notes)
    print_failures(console, report)
    return finish(report, options)


def ensure_any(
    task: Task,
    planner: Work,
    approved: dict[str, tuple[Change, ...]] | None = None,
    *,
    remove: bool = False,
    keep_state: bool = False,
    keep_contents: bool = True,
) -> Result:
    """Change a machine, or the cloud that machines run in; arguments and result are those of `tasks.ensure.ensure`."""
    if task.host.name in planner.plan.clouds:
        # Only an inventory with a cloud is to load the SDK.
        from tasks.ensure_cloud import ensure_cloud

        return ensure_cloud(task, planner.plan, remove=remove, approved=approved)
    return ensure(task, planner, approved=approved, keep_state=keep_state, keep_contents=keep_contents)


def _change(run: Run, task: Callable[..., Result], options: Options) -> RunReport:
    title = f"{run.runbook}, dry run" if options.dry_run else run.runbook
    report, _ = run.over_hosts(task, title=title, dry_run=options.dry_run, hosts=run.session.hosts)
    return report


def _ask_and_change(run: Run, task: Callable[..., Result], console: Console) -> RunReport:
    """The report of what was done; the plan's, a dry run, if a person did not approve it."""
    planned, result = run.over_hosts(task, title="plan", dry_run=True, hosts=run.session.hosts)
    approved = planned_changes(planned, result)
    if not approved:
        return replace(planned, dry_run=False)
    print_diff(console, planned.hosts)
    print_recap(console, planned, unmanaged=run.session.unmanaged, notes=run.session.notes)
    if planned.interrupted or not ask(approved):
        return planned
    applied, _ = run.over_hosts(task, title=run.runbook, dry_run=False, hosts=tuple(approved), approved=approved)
    changed = {host.host: host for host in applied.hosts}
    return replace(applied, hosts=tuple(changed.get(host.host, host) for host in planned.hosts))
