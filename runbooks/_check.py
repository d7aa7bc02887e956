"""What a drift check does: read, compare, remember, report; and fix, if asked to."""

from pathlib import Path

from msgspec.structs import replace

from podroutes.drift.history import History
from podroutes.drift.reachability import directions
from podroutes.errors import PodRoutesError
from podroutes.host.state import HostState
from podroutes.outcomes import Outcome
from podroutes.report.console import new_console, print_failures, print_recap
from podroutes.report.drift import print_directions, print_findings, print_healed
from podroutes.report.summary import coverage
from runbooks._cli import Options
from runbooks._fix import Fix
from runbooks._ping import check_with_pings
from runbooks._run import Run, finish, states_of
from runbooks._session import Session
from tasks.drift import check_drift, drift_outcome_of


def check_hosts(session: Session, options: Options, *, fix: bool, ping: bool, history: Path | None = None) -> int:
    """Check the chosen hosts.

    Args:
        session: What to work with, locked.
        options: What the engineer asked for.
        fix: Fix what was found.
        ping: Verify by pings which pods reach which.
        history: The file that remembers findings; None for none.

    Returns:
        The exit code.

    Raises:
        PodRoutesError: The history or a report could not be written.
    """
    run = Run(session, "drift_check", options.verbose, drift_outcome_of)
    report, result = run.over_hosts(check_drift, title="check", dry_run=True, hosts=session.hosts, plan=session.plan)
    states = states_of(result, HostState)
    report = replace(report, dry_run=False, directions=directions(session.plan, states, among=set(session.hosts)))
    if ping and not report.interrupted:
        report = check_with_pings(run, report.directions, states).beside(report)
    known = None if history is None else History(history)
    problem = None
    if known is not None:
        try:
            report = known.record(report)
        except PodRoutesError as error:
            # Raised in the end: it must not hide what is wrong with hosts.
            known, problem = None, error
    console = new_console(options.people)
    print_findings(console, report)
    print_healed(console, report)
    print_directions(console, report.directions)
    print_recap(console, report, unmanaged=session.unmanaged, notes=session.notes)
    console.print(coverage(report))
    print_failures(console, report)
    if fix and not report.interrupted and report.counts[Outcome.DRIFT] != 0:
        report = Fix(run, ping).fix(report, result, states)
        console.print()
        print_directions(console, report.directions)
        print_recap(console, report)
        print_failures(console, report)
    return finish(report, options, known, problem)
