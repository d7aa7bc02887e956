"""What a drift check does: read, compare, remember, report; and mend, if it is told to."""

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nornir.core.task import AggregatedResult
from rich.console import Console

from podroutes.connectivity import directions
from podroutes.findings import Direction, Finding, new_finding
from podroutes.host_state import HostState
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport
from podroutes.planning.host import Provisioning
from podroutes.reachability import ping_findings, prove
from podroutes.report.console import new_console, print_failures, print_recap
from podroutes.report.drift import coverage, print_directions, print_findings, print_healed
from podroutes.report.json_report import write_json
from runbooks.change import ensure_any
from runbooks.cli import Options
from runbooks.lock import run_lock
from runbooks.run import Run
from runbooks.session import Session, open_session
from tasks.drift import Checked, check_drift, count_of, drift_outcome_of
from tasks.reachability import ping_pods
from tasks.routes_service import load_service_files


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


def check_hosts(options: Options, reports: Reports, *, fix: bool, ping: bool) -> int:
    """Check the chosen hosts.

    Args:
        options: What the engineer asked for.
        reports: Where reports go.
        fix: Mend what was found.
        ping: Prove on the data plane which pods reach which.

    Returns:
        The exit code.

    Raises:
        PodRoutesError: Nothing could be started.
    """
    with run_lock(options.config):
        session = open_session(options.config, options.limit, dry_run=True)
        run = Run(session, "drift_check", verbose=options.verbose, outcome_of=drift_outcome_of)
        work = Provisioning(session.plan, load_service_files())
        report, result = run.over_hosts(check_drift, title="check", dry_run=True, hosts=session.hosts, work=work)
        states = _states(result)
        report = report.model_copy(update={"dry_run": False, "directions": _directions(session, states)})
        if ping:
            report = _ping(run, report, states)
        if reports.history is not None:
            from podroutes.history import History

            report = History(reports.history).record(report)
        console = new_console(sys.stderr if options.json == "-" or reports.nagios else sys.stdout)
        _print(console, report, session)
        if fix:
            report = _fix(run, report, result, work, console)
        _write(report, reports, options)
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
        if isinstance(host[0].result, Checked) and host[0].result.state is not None
    }


def _directions(session: Session, states: Mapping[str, HostState]) -> tuple[Direction, ...]:
    asked = set(session.hosts)
    return tuple(one for one in directions(session.plan, states) if {one.source, one.target} <= asked)


def _ping(run: Run, report: RunReport, states: Mapping[str, HostState]) -> RunReport:
    """Prove which pods reach which; what only a ping shows becomes a finding of the host that sent it."""
    plan = run.session.plan
    workers = [worker.name for worker in plan.workers if worker.name in states]
    pinged, result = run.over_hosts(
        ping_pods, title="ping", dry_run=True, hosts=workers, plan=plan, states=dict(states)
    )
    failed = {host.host: host for host in pinged.hosts if host.outcome in FAILURES}
    answers = {name: host[0].result for name, host in result.items() if name not in failed}
    proven = prove(report.directions, answers)
    found = ping_findings(proven)
    hosts = tuple(_with_ping(host, found.get(host.host, ()), failed.get(host.host)) for host in report.hosts)
    return report.model_copy(
        update={"directions": proven, "hosts": hosts, "seconds": pinged.seconds, "interrupted": pinged.interrupted}
    )


def _with_ping(host: HostOutcome, found: tuple[Finding, ...], failed: HostOutcome | None) -> HostOutcome:
    if failed is not None:
        findings = (*host.findings, new_finding("result-unknown", "ping", failed.reason))
        return failed.model_copy(update={"findings": findings, "seconds": host.seconds})
    if not found:
        return host
    findings = (*host.findings, *found)
    outcome = Outcome.DRIFT if host.outcome == Outcome.OK else host.outcome
    return host.model_copy(update={"outcome": outcome, "reason": count_of(findings), "findings": findings})


def _print(console: Console, report: RunReport, session: Session) -> None:
    print_findings(console, report)
    print_healed(console, report)
    print_directions(console, report.directions)
    print_recap(console, report, unmanaged=session.unmanaged)
    console.print(coverage(report), soft_wrap=True)
    print_failures(console, report)


def _fix(run: Run, report: RunReport, result: AggregatedResult, work: Provisioning, console: Console) -> RunReport:
    """Make the changes that the check found, and no others, on the hosts that have drifted."""
    approved = {
        host.host: result[host.host][0].result.changes
        for host in report.hosts
        if host.outcome == Outcome.DRIFT and result[host.host][0].result.changes
    }
    if not approved:
        return report.model_copy(update={"hosts": tuple(_after_no_fix(host) for host in report.hosts)})
    task = functools.partial(ensure_any, work=work, approved=approved)
    fixed, _ = run.over_hosts(task, title="fix", dry_run=False, hosts=tuple(approved))
    done = {host.host: host for host in fixed.hosts}
    hosts = tuple(
        done[host.host].model_copy(update={"findings": host.findings}) if host.host in done else _after_no_fix(host)
        for host in report.hosts
    )
    mended = fixed.model_copy(update={"hosts": hosts, "healed": report.healed, "directions": report.directions})
    console.print()
    print_recap(console, mended)
    print_failures(console, mended)
    return mended


def _after_no_fix(host: HostOutcome) -> HostOutcome:
    """A host that has drifted in a way that no provisioning mends stays wrong: with --fix that is a failure."""
    if host.outcome != Outcome.DRIFT:
        return host
    reason = "; ".join(finding.message for finding in host.findings if finding.is_drift)
    return host.model_copy(update={"outcome": Outcome.FAILED, "reason": f"can't be mended from here: {reason}"})


def _write(report: RunReport, reports: Reports, options: Options) -> None:
    if options.json:
        write_json(report, options.json)
    if reports.junit:
        from podroutes.report.junit import write_junit

        write_junit(report, reports.junit)
    if reports.prometheus:
        from podroutes.report.prometheus import write_prometheus

        write_prometheus(report, reports.prometheus)
    if reports.html:
        from podroutes.report.html import write_html

        from podroutes.history import History

        write_html(report, reports.html, history=History(reports.history) if reports.history is not None else None)
