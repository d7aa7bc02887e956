"""What a drift check makes of what it has read: which pods reach which, what is remembered, and the reports."""

from collections.abc import Mapping
from pathlib import Path

from podroutes.drift.findings import Direction
from podroutes.drift.reachability import directions
from podroutes.errors import PodRoutesError
from podroutes.host.state import HostState
from podroutes.outcomes import RunReport
from podroutes.report.console import print_failures, print_recap
from podroutes.report.drift import print_directions, print_findings, print_healed
from podroutes.report.styled import Console
from podroutes.report.summary import coverage
from runbooks._reports import Reports
from runbooks._session import Session


def judge(session: Session, states: Mapping[str, HostState]) -> tuple[Direction, ...]:
    """Which pods of the chosen hosts reach which.

    Args:
        session: What the check works with.
        states: What was read, by host.
    """
    return directions(session.plan, states, among=set(session.hosts))


def remember(report: RunReport, path: Path | None) -> tuple[RunReport, PodRoutesError | None]:
    """Put the report beside earlier ones; what is wrong with the history must not hide what is wrong with hosts.

    Args:
        report: The check's.
        path: The history; None for none.

    Returns:
        The report with what the history knows, and what is wrong with the history.
    """
    if path is None:
        return report, None
    from podroutes.drift.history import History

    try:
        return History(path).record(report), None
    except PodRoutesError as error:
        return report, error


def print_check(console: Console, report: RunReport, session: Session) -> None:
    """Print what was found, what that cuts off, and what became of each host.

    Args:
        console: Where to.
        report: The check's.
        session: What it worked with.
    """
    print_findings(console, report)
    print_healed(console, report)
    print_directions(console, report.directions)
    print_recap(console, report, unmanaged=session.unmanaged, notes=session.notes)
    console.print(coverage(report))
    print_failures(console, report)


def print_fixed(console: Console, report: RunReport) -> None:
    """Print what is left after fixing.

    Args:
        console: Where to.
        report: Of the check and of what was fixed.
    """
    console.print()
    print_directions(console, report.directions)
    print_recap(console, report)
    print_failures(console, report)


def write_reports(report: RunReport, reports: Reports, *, json: str, history: Path | None) -> None:
    """Write the files that were asked for.

    Args:
        report: What to write.
        reports: Where to.
        json: Where to, as JSON; empty for nowhere.
        history: The history that the page shows; None for none.

    Raises:
        PodRoutesError: One could not be written.
    """
    if json:
        from podroutes.report.json_report import write_json

        write_json(report, json)
    if reports.junit:
        from podroutes.report.junit import write_junit

        write_junit(report, reports.junit)
    if reports.prometheus:
        from podroutes.report.prometheus import write_prometheus

        write_prometheus(report, reports.prometheus)
    if reports.html:
        from podroutes.drift.history import History
        from podroutes.report.html import write_html

        write_html(report, reports.html, history=None if history is None else History(history))
