"""From what Nornir holds to one outcome; nothing that is odd may pass as fine."""

import pytest
from nornir.core.exceptions import NornirSubTaskError
from nornir.core.task import MultiResult, Result, Task

from podroutes.errors import HostKeyError, RemoteCommandError, UnreachableError
from podroutes.host.changes import Change
from tasks.ensure import ChangeResult
from tasks.outcome import outcome_of
from tasks.record import reason_of, root_error
from tests.unit.tasks.fake_hosts import nornir_with

CHANGE = Change("routes", "add", "10.200.1.0/24", "", "x", "missing", ())


def results(*items: Result) -> MultiResult:
    multi = MultiResult("task")
    multi.extend(items)
    return multi


@pytest.mark.parametrize(
    ("result", "outcome", "error", "reason"),
    [
        (Result(None, result=ChangeResult()), "ok", "", ""),
        (Result(None, result=ChangeResult(changes=(CHANGE,))), "changed", "", ""),
        (Result(None, result=ChangeResult(changes=(CHANGE,), error=UnreachableError("x"))),
         "unreachable", "UnreachableError", "x"),
        (Result(None, result=ChangeResult(error=RemoteCommandError("a\n b"))), "failed", "RemoteCommandError", "a b"),
        (Result(None, result=ChangeResult(error=ZeroDivisionError("x"))), "failed", "ZeroDivisionError",
         "internal error, ZeroDivisionError: x (-v shows where)"),
        # a task that failed outside of what keeps its errors
        (Result(None, exception=HostKeyError("x"), failed=True), "unreachable", "HostKeyError", "x"),
        (Result(None, result="Traceback", exception=ValueError("x"), failed=True), "failed", "ValueError",
         "internal error, ValueError: x (-v shows where)"),
        (Result(None), "failed", "", "its task left no result"),
        # a reading task leaves what it read
        (Result(None, result=object()), "ok", "", ""),
    ],
)  # fmt: skip
def test_an_outcome(result: Result, outcome: str, error: str, reason: str) -> None:
    found = outcome_of("worker-0", results(result))
    assert (found.host, str(found.outcome), found.error, found.reason) == ("worker-0", outcome, error, reason)


def test_no_result_at_all_is_a_failure() -> None:
    found = outcome_of("worker-0", results())
    assert (str(found.outcome), found.reason) == ("failed", "its task left no result")


def test_the_error_of_a_task_in_a_task_is_found() -> None:
    error = UnreachableError("x")
    nornir = nornir_with({})
    task = Task(lambda task: Result(task.host), nornir, global_dry_run=False, processors=nornir.processors)
    inner = NornirSubTaskError(task=task, result=results(Result(None, exception=error, failed=True)))
    outer = NornirSubTaskError(task=task, result=results(Result(None, exception=inner, failed=True)))
    assert root_error(outer) is error
    assert root_error(error) is error
    assert isinstance(root_error(KeyboardInterrupt()), RuntimeError)
    nothing = NornirSubTaskError(task=task, result=results(Result(None)))
    assert root_error(nothing) is nothing


def test_a_reason_is_always_one_line() -> None:
    assert reason_of(RemoteCommandError(" a\r\n\tb ")) == "a b"
    assert reason_of(OSError(2, "No such\nfile")) == (
        "internal error, FileNotFoundError: [Errno 2] No such file (-v shows where)"
    )
