"""What runbooks that change hosts have in common: plan, show, ask, apply, report."""

import functools
import sys
from collections.abc import Callable
from typing import TextIO

from msgspec.structs import replace
from nornir.core.task import AggregatedResult, Result

from podroutes.host.changes import Change
from podroutes.outcomes import Outcome, RunReport
from runbooks._cli import Options
from runbooks._run import Run
from runbooks._session import Session
from tasks.ensure import ChangeResult


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
    # With the report on standard output, people read on standard error.
    file = sys.stderr if options.json == "-" else sys.stdout
    run = Run(session, runbook, verbose=options.verbose)
    task = functools.partial(change, plan=session.plan)
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
