"""What runbooks that change hosts have in common: plan, show, ask, apply, report."""

import functools
from collections.abc import Callable

from msgspec.structs import replace
from nornir.core.task import Result

from podroutes.outcomes import RunReport
from podroutes.report.console import new_console, print_diff, print_failures, print_recap
from podroutes.report.styled import Console
from runbooks._approval import ask, has_to_ask, planned_changes
from runbooks._cli import Options
from runbooks._run import Run, finish
from runbooks._session import Session


def change_hosts(session: Session, options: Options, runbook: str, change: Callable[..., Result]) -> int:
    """Run a changing task over the chosen hosts.

    Args:
        session: What to work with, locked.
        options: What the engineer asked for.
        runbook: Its name.
        change: The task: `tasks.provision.provision` or `deprovision`.

    Returns:
        The exit code.
    """
    run = Run(session, runbook, options.verbose)
    task = functools.partial(change, plan=session.plan)
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
