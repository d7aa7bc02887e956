"""Progress while a run goes on: counts on a terminal, a line for each host otherwise.

A processor that raises would lose every host's result, so nothing here may raise.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Task

from podroutes.outcomes import HostOutcome
from podroutes.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress


class ProgressProcessor:
    """Shows how far a run is, and remembers which hosts were started.

    Args:
        file: Where to, standard error usually.
        title: What the run does, in a word.
        total: Number of hosts.
        outcome_of: Classifies a host's result.

    Attributes:
        started: Names of the hosts whose task was started.
    """

    def __init__(
        self, file: TextIO, title: str, total: int, outcome_of: Callable[[str, MultiResult], HostOutcome]
    ) -> None:
        self._file = file
        self._title = title
        self._total = total
        self._outcome_of = outcome_of
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self.started: set[str] = set()

    def __enter__(self) -> "ProgressProcessor":
        """Start drawing."""
        if self._file.isatty():
            # A run without a terminal need not wait for these imports.
            from rich.progress import (  # noqa: PLC0415
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
            )

            from podroutes.terminal import rich_console  # noqa: PLC0415

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[counts]}"),
                TimeElapsedColumn(),
                console=rich_console(self._file),
                transient=True,
            )
            self._progress.add_task(self._title, total=self._total, counts="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        if self._progress is not None:
            self._progress.stop()

    def task_started(self, task: Task) -> None:
        """Nothing to show."""

    def task_completed(self, task: Task, result: AggregatedResult) -> None:
        """Nothing to show."""

    def task_instance_started(self, task: Task, host: Host) -> None:
        """Remember that the host was started."""
        self.started.add(host.name)

    def task_instance_completed(self, task: Task, host: Host, result: MultiResult) -> None:
        """Count the host's outcome."""
        with contextlib.suppress(Exception), self._lock:
            outcome = self._outcome_of(host.name, result)
            self._counts[str(outcome.outcome)] += 1
            if self._progress is not None:
                counts = ", ".join(f"{number} {name}" for name, number in self._counts.items())
                self._progress.update(self._progress.task_ids[0], advance=1, counts=counts)
            else:
                reason = f": {outcome.reason}" if outcome.reason else ""
                line = f"[{self._counts.total()}/{self._total}] {host.name} {outcome.outcome}{reason}"
                print(printable(line), file=self._file, flush=True)

    def subtask_instance_started(self, task: Task, host: Host) -> None:
        """Nothing to show."""

    def subtask_instance_completed(self, task: Task, host: Host, result: MultiResult) -> None:
        """Nothing to show."""
