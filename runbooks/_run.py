"""The one place that runs a task over hosts, and turns Nornir's results into a report."""

import contextlib
import functools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module

from msgspec import Struct, field
from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Result

from podroutes.outcomes import HostOutcome, Outcome, RunReport, complete
from podroutes.plugins.processors.progress import ProgressProcessor
from runbooks._garbage import resume
from runbooks._session import Session
from tasks.outcome import outcome_of

_LEFT_BEHIND = "interrupted while its task was running: what it has now is not known"
_NOT_STARTED = "interrupted before it was started: nothing was done"
_NO_RESULT = "its result is missing"


class Run(Struct):
    """A run of one task over hosts.

    Attributes:
        session: What it works with.
        runbook: Its name, for the report.
        verbose: Print every task's result in Nornir's own way.
        outcome_of: Classifies a host's result.
        afterwards: The module that tells what became of the hosts; it is imported while they are waited for.
    """

    session: Session
    runbook: str
    verbose: bool = False
    outcome_of: Callable[[str, MultiResult], HostOutcome] = outcome_of
    afterwards: str = "podroutes.report.console"
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
        resume()
        # Without another thread it is imported afterwards.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=import_module, args=(self.afterwards,), daemon=True).start()
        wanted = set(hosts)
        outcome_of = _remembering(self.outcome_of)
        nornir = self.session.nornir.filter(filter_func=lambda host: _is_in(host, wanted))
        nornir.data.dry_run = dry_run
        nornir.data.reset_failed_hosts()
        with ProgressProcessor(sys.stderr, title, len(hosts), outcome_of) as progress:
            bound = functools.partial(task, **parameters)
            result = nornir.with_processors([progress]).run(task=bound, name=title)
        nornir.data.reset_failed_hosts()
        interrupted = bool(getattr(result, "interrupted", False))
        outcomes = [outcome_of(name, host_result) for name, host_result in result.items()]
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


def _remembering(outcome_of: Callable[[str, MultiResult], HostOutcome]) -> Callable[[str, MultiResult], HostOutcome]:
    """Classify a result once: progress asks while others are waited for, the report in the end."""
    known: dict[str, tuple[MultiResult, HostOutcome]] = {}

    def remembered(name: str, result: MultiResult) -> HostOutcome:
        if name not in known or known[name][0] is not result:
            known[name] = (result, outcome_of(name, result))
        return known[name][1]

    return remembered


def _is_in(host: Host, names: set[str]) -> bool:
    return host.name in names
