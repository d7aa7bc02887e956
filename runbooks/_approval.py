"""Asking a person before hosts are changed."""

import sys

from nornir.core.task import AggregatedResult

from podroutes.host.changes import Change
from podroutes.outcomes import Outcome, RunReport
from podroutes.report.summary import count
from runbooks._cli import Options
from tasks.drift import CheckResult
from tasks.ensure import ChangeResult

Changes = dict[str, tuple[Change, ...]]


def planned_changes(report: RunReport, result: AggregatedResult) -> Changes:
    """The changes that a dry run or a drift check planned, by host; of hosts that failed, none."""
    planned = {}
    for host in report.hosts:
        found = result[host.host][0].result if host.host in result else None
        if host.outcome in (Outcome.CHANGED, Outcome.DRIFT) and isinstance(found, (ChangeResult, CheckResult)):
            planned[host.host] = found.changes
    return {name: changes for name, changes in planned.items() if changes}


def has_to_ask(options: Options) -> bool:
    """Whether a person is there to be asked, and did not say yes beforehand."""
    return not options.dry_run and not options.yes and sys.stdin.isatty()


def ask(changes: Changes) -> bool:
    """Ask whether the changes that were shown are to be made."""
    number = sum(len(host_changes) for host_changes in changes.values())
    try:
        answer = input(f"Apply {count(number, 'change')} to {count(len(changes), 'host')}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
