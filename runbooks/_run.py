"""The one place that runs a task over hosts, and turns Nornir's results into a report."""

import functools
import gc
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct, field
from nornir.core.task import AggregatedResult, MultiResult, Result

from podroutes.drift.history import History
from podroutes.errors import PodRoutesError
from podroutes.outcomes import HostOutcome, Outcome, RunReport, complete
from podroutes.plugins.processors.progress import ProgressProcessor
from podroutes.report.write import Past, write_reports
from runbooks._cli import Options
from runbooks._session import Session
from tasks.outcome import outcome_of

_LEFT_BEHIND = "interrupted while its task was running: its present state is unknown"
_NOT_STARTED = "interrupted before it was started: nothing was done"
_NO_RESULT = "its result is missing"
_State = TypeVar("_State")


class Run(Struct):
    """A run of one or more tasks over hosts.

    Attributes:
        session: What it works with.
        runbook: Its name, for the report.
        verbose: Print every task's result in Nornir's own way.
        outcome_of: Classifies a host's result.
    """

    session: Session
    runbook: str
    verbose: bool = False
    outcome_of: Callable[[str, MultiResult], HostOutcome] = outcome_of
    _started: float = field(default_factory=time.monotonic)
    _started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def over_hosts(
        self, task: Callable[..., Result], *, title: str, dry_run: bool, hosts: Sequence[str], **parameters: object
    ) -> tuple[RunReport, AggregatedResult]:
        """Run a task; every host that is asked for gets exactly one outcome.

        Args:
            task: Nornir task; its connection ends with it.
            title: What it does, for the progress.
            dry_run: Whether tasks change nothing.
            hosts: Names of the hosts, all of the session's.
            **parameters: For the task.

        Returns:
            The report, and Nornir's own result.
        """
        if not gc.isenabled():
            # All that exists so far was imported, and stays.
            gc.freeze()
            gc.enable()
        chosen = set(hosts)
        nornir = self.session.nornir.filter(filter_func=lambda host: host.name in chosen)
        nornir.data.dry_run = dry_run
        nornir.data.reset_failed_hosts()
        with ProgressProcessor(sys.stderr, title, len(hosts), self.outcome_of) as progress:
            bound = functools.partial(task, **parameters)
            result = nornir.with_processors([progress]).run(task=bound, name=title)
        nornir.data.reset_failed_hosts()
        interrupted = bool(getattr(result, "interrupted", False))
        outcomes = [self.outcome_of(name, host_result) for name, host_result in result.items()]
        if interrupted:
            outcomes += [
                HostOutcome(host=name, outcome=Outcome.FAILED, reason=_LEFT_BEHIND)
                for name in hosts
                if name in progress.started and name not in result
            ]
        report = RunReport(
            runbook=self.runbook,
            dry_run=dry_run,
            started=self._started_at,
            seconds=round(time.monotonic() - self._started, 3),
            interrupted=interrupted,
            hosts=complete(hosts, outcomes, reason=_NOT_STARTED if interrupted else _NO_RESULT),
        )
        if self.verbose:
            from runbooks._verbose import print_results

            print_results(result)
        return report, result


def states_of(result: AggregatedResult, kind: type[_State]) -> dict[str, _State]:
    """The states of a kind that a task read, by host: its result, or the `state` of its result."""
    values = {name: host[0].result for name, host in result.items()}
    states = {name: getattr(value, "state", value) for name, value in values.items()}
    return {name: state for name, state in states.items() if isinstance(state, kind)}


def finish(
    report: RunReport, options: Options, history: History | None = None, problem: PodRoutesError | None = None
) -> int:
    """Write the reports that were asked for.

    Args:
        report: Of the run.
        options: What the engineer asked for.
        history: Of drift checks; None where none is kept or it can't be used.
        problem: An error that must not prevent the reports, and is raised after them.

    Returns:
        The exit code.

    Raises:
        PodRoutesError: A report can't be written; or the problem.
    """
    write_reports(report, options.reports, history)
    if problem is not None:
        raise problem
    if options.exit_style is None:
        return report.exit_code
    style = options.exit_style.load()
    sys.stdout.write(style.render(report, Past(history)))
    return int(style.exit_code(report))
