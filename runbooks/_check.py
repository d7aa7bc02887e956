"""What a drift check does: read, compare, remember, report; and fix, if it is told to."""

import functools
import sys

from msgspec.structs import replace
from nornir.core.task import AggregatedResult

from podroutes.host.state import HostState
from podroutes.outcomes import Outcome
from runbooks._cli import Options
from runbooks._reports import Reports
from runbooks._run import Run
from runbooks._session import Session
from tasks.drift import CheckResult, check_drift, drift_outcome_of


def check_hosts(session: Session, options: Options, reports: Reports, *, fix: bool, ping: bool) -> int:
    """Check the chosen hosts.

    Args:
        session: What to work with, locked.
        options: What the engineer asked for.
        reports: Where reports go.
        fix: Fix what was found.
        ping: Prove on the data plane which pods reach which.

    Returns:
        The exit code.

    Raises:
        PodRoutesError: The history or a report could not be written.
    """
    run = Run(session, "drift_check", options.verbose, drift_outcome_of, afterwards="runbooks._check_report")
    report, result = run.over_hosts(check_drift, title="check", dry_run=True, hosts=session.hosts, plan=session.plan)
    # Imported meanwhile.
    from podroutes.report.console import new_console
    from runbooks._check_report import judge, print_check, print_fixed, remember, write_reports

    states = _states(result)
    report = replace(report, dry_run=False, directions=judge(session, states))
    if ping and not report.interrupted:
        from runbooks._ping import check_with_pings

        report = check_with_pings(run, report.directions, states).beside(report)
    report, problem = remember(report, reports.history)
    console = new_console(sys.stderr if options.json == "-" or reports.nagios else sys.stdout)
    print_check(console, report, session)
    if fix and not report.interrupted and report.counts[Outcome.DRIFT] != 0:
        from runbooks._fix import Fix

        report = Fix(run, functools.partial(judge, session), ping).fix(report, result, states)
        print_fixed(console, report)
    write_reports(report, reports, json=options.json, history=reports.history if problem is None else None)
    if problem is not None:
        raise problem
    if reports.nagios:
        from podroutes.report.nagios import nagios_line

        status, line = nagios_line(report)
        print(line)
        return int(status)
    return report.exit_code


def _states(result: AggregatedResult) -> dict[str, HostState]:
    return {
        name: host[0].result.state
        for name, host in result.items()
        if isinstance(host[0].result, CheckResult) and host[0].result.state is not None
    }
