"""A runner for many hosts that closes connections as it goes and survives Ctrl-C.

Nornir's ThreadedRunner does neither: it starts every host in spite of a Ctrl-C, and one error outside of a task, such
as a processor's, costs it all hosts' results.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Result, Task

logger = logging.getLogger(__name__)
_NOTICE_SECONDS: Final = 0.1


class InterruptibleResult(AggregatedResult):
    """Results in the order of the hosts.

    Attributes:
        interrupted: Whether Ctrl-C ended the run; then hosts may be missing, and those were not finished.
    """

    interrupted: bool = False


class InterruptibleThreads:
    """Runs a task over all hosts, each host in one thread.

    At Ctrl-C no further host is started; those that are running may finish; at a second Ctrl-C they are left behind.
    Whatever has finished is in the result, so a host that is missing from it was not finished.

    Args:
        num_workers: How many hosts at once, at most.
        close_connections: Close a host's connections as soon as its task has ended, so that thousands of hosts do not
            exhaust file descriptors. False keeps them for a next task; then the caller closes them.
        grace: Seconds that running hosts have after the first Ctrl-C.

    Attributes:
        interrupted: Whether Ctrl-C ended the last run.

    Raises:
        ValueError: There would be no worker, or the grace is negative.
    """

    def __init__(self, num_workers: int = 50, *, close_connections: bool = True, grace: float = 30.0) -> None:
        if num_workers < 1 or not grace >= 0:
            message = f"num_workers must be at least 1 and grace at least 0, not {num_workers} and {grace}"
            raise ValueError(message)
        self.num_workers = num_workers
        self.close_connections = close_connections
        self.grace = grace
        self.interrupted = False

    def run(self, task: Task, hosts: Sequence[Host]) -> InterruptibleResult:
        """Run the task.

        Args:
            task: For one host; each gets a copy.
            hosts: All of them.

        Returns:
            A result for each host that was finished.
        """
        self.interrupted = False
        work = _Work(task, hosts, close_connections=self.close_connections)
        try:
            work.start(min(self.num_workers, len(hosts)))
            work.wait(math.inf)
        except KeyboardInterrupt:
            self.interrupted = True
            try:
                logger.warning("interrupted: no further host is started; waiting %.0f s for the others", self.grace)
                work.stop()
                work.wait(self.grace)
            except KeyboardInterrupt:
                logger.warning("interrupted again: hosts that are still running are left behind")
        result = InterruptibleResult(task.name)
        result.update(work.finished())
        result.interrupted = self.interrupted
        return result


class _Work:
    """The hosts of one run: waiting, running, finished."""

    def __init__(self, task: Task, hosts: Sequence[Host], *, close_connections: bool) -> None:
        self._task = task
        self._hosts = hosts
        self._close_connections = close_connections
        self._waiting = deque(hosts)
        self._open = len(hosts)
        self._finished: dict[str, MultiResult] = {}
        self._change = threading.Condition()

    def start(self, workers: int) -> None:
        for number in range(workers):
            # Daemons: after a second Ctrl-C the interpreter must be able to end without them.
            thread = threading.Thread(target=self._work, name=f"podroutes-host-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The system gives no more threads; those that there are do all the work.
                if number == 0:
                    raise
                return

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._change:
            # In short waits: a Ctrl-C that comes just before a wait begins is noticed only when that wait ends.
            while self._open > 0 and (remaining := deadline - time.monotonic()) > 0:
                self._change.wait(min(remaining, _NOTICE_SECONDS))

    def stop(self) -> None:
        with self._change:
            self._open -= len(self._waiting)
            self._waiting.clear()

    def finished(self) -> dict[str, MultiResult]:
        with self._change:
            return {host.name: self._finished[host.name] for host in self._hosts if host.name in self._finished}

    def _work(self) -> None:
        while True:
            with self._change:
                if not self._waiting:
                    return
                host = self._waiting.popleft()
            outcome = self._run(host)
            with self._change:
                self._finished[host.name] = outcome
                self._open -= 1
                self._change.notify_all()

    def _run(self, host: Host) -> MultiResult:
        task = self._task.copy()
        try:
            return task.start(host)
        except BaseException as error:  # a processor's, or SystemExit from a library
            logger.debug("host %s: an error outside of its task", host.name, exc_info=True)
            said = f"{type(error).__name__}: {error}"
            failure = Result(host, result=said, failed=True, exception=error, severity_level=logging.ERROR)
            failure.name = task.name  # type: ignore[assignment]  # Nornir sets it so itself
            outcome = MultiResult(task.name)
            # What the task itself had to say is kept behind it.
            outcome += [failure, *task.results]
            return outcome
        finally:
            if self._close_connections:
                _close(host)


def _close(host: Host) -> None:
    """Close each of a host's connections, also where closing one fails."""
    for name in list(host.connections):
        try:
            host.close_connection(name)
        except Exception:  # plugins of others may raise; the host's result is what counts
            logger.debug("host %s: connection %s could not be closed", host.name, name, exc_info=True)
