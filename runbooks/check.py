"""What a drift check does: read, compare, remember, report; and mend, if it is told to."""

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nornir.core.task import AggregatedResult
from rich.console import Console

from podroutes.connectivity import directions
from podroutes.errors import PodRoutesError
from podroutes.findings import Direction
from podroutes.host_state import HostState
from podroutes.outcomes import Outcome, RunReport
from podroutes.planning.host import Provisioning
from podroutes.reading import coverage
from podroutes.report.console import new_console, print_failures, print_recap
from podroutes.report.drift import print_directions, print_findings, print_healed
from runbooks.cli import Options
from runbooks.run import Run
from runbooks.session import Session
from tasks.drift import Checked, check_drift, drift_outcome_of
from tasks.service_files import load_service_files


@dataclass(frozen=True)
class Reports:
    """Where reports go besides the terminal; empty for none.

    Attributes:
        junit: File for JUnit's XML.
        prometheus: File for metrics.
        html: File for the page.
        history: The SQLite file that remembers findings; None for none.
        nagios: One line with perfdata on standard output, and the exit codes that monitoring expects.
    """

    junit: str = ""
    prometheus: str = ""
    html: str = ""
    history: Path | None = None
    nagios: bool = False


def check_hosts(session: Session, options: Options, reports: Reports, *, fix: bool, ping: bool) -> int:
    """Check the chosen hosts.

    Args:
        session: What to work with, locked.
        options: What the engineer asked for.
        reports: Where reports go.
        fix: Mend what was found.
        ping: Prove on the data plane which pods reach which.

    Returns:
        The exit code.

    Raises:
        PodRoutesError: The history or a report could not be written.
    """
    run = Run(session, "drift_check", verbose=options.verbose, outcome_of=drift_outcome_of)
    work = Provisioning(session.plan, load_service_files())
    report, result = run.over_hosts(check_drift, title="check", dry_run=True, hosts=session.hosts, work=work)
    states = _states(result)
    judge = functools.partial(_directions, session)
    report = report.model_copy(update={"dry_run": False, "directions": judge(states)})
    if ping and not report.interrupted:
        from runbooks.prove import prove_with_pings

        report = prove_with_pings(run, report.directions, states).beside(report)
    report, problem = _remember(report, reports.history)
    console = new_console(sys.stderr if options.json == "-" or reports.nagios else sys.stdout)
    _print(console, report, session)
    if fix and not report.interrupted and report.counts[Outcome.DRIFT] != 0:
        from runbooks.mend import Mending

        report = Mending(run, work, judge, ping).mend(report, result, states)
        console.print()
        print_directions(console, report.directions)
        print_recap(console, report)
        print_failures(console, report)
    _write(report, options, reports, reports.history if problem is None else None)
    if problem is not None:
        raise problem
    if reports.nagios:
        from podroutes.report.nagios import nagios_line

        status, line = nagios_line(report)
        print(line)
        return int(status)
    return report.exit_code


def _remember(report: RunReport, path: Path | None) -> tuple[RunReport, PodRoutesError | None]:
    """Put the report beside earlier ones; what is wrong with the history must not hide what is wrong with hosts."""
    if path is None:
        return report, None
    from podroutes.history import History

    try:
        return History(path).record(report), None
    except PodRoutesError as error:
        return report, error


def _states(result: AggregatedResult) -> dict[str, HostState]:
    return {
        name: host[0].result.state
        for name, host in result.items()
        if isinstance(host[0].result, Checked) and host[0].result.state is not None
    }


def _directions(session: Session, states: Mapping[str, HostState]) -> tuple[Direction, ...]:
    asked = set(session.hosts)
    return tuple(one for one in directions(session.plan, states) if {one.source, one.target} <= asked)


def _print(console: Console, report: RunReport, session: Session) -> None:
    print_findings(console, report)
    print_healed(console, report)
    print_directions(console, report.directions)
    print_recap(console, report, unmanaged=session.unmanaged, notes=session.notes)
    console.print(coverage(report), soft_wrap=True)
    print_failures(console, report)


def _write(report: RunReport, options: Options, reports: Reports, history: Path | None) -> None:
    if options.json:
        from podroutes.report.json_report import write_json

        write_json(report, options.json)
    if reports.junit:
        from podroutes.report.junit import write_junit

        write_junit(report, reports.junit)
    if reports.prometheus:
        from podroutes.report.prometheus import write_prometheus

        write_prometheus(report, reports.prometheus)
    if reports.html:
        from podroutes.history import History
        from podroutes.report.html import write_html

        write_html(report, reports.html, history=None if history is None else History(history))
