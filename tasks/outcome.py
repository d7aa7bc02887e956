"""From Nornir's result of a host to the host's outcome."""

from nornir.core.task import MultiResult, Result

from podroutes.errors import PodRoutesError, UnreachableError
from podroutes.outcomes import ChangeRecord, HostOutcome, Outcome
from tasks.ensure import ChangeResult
from tasks.record import root_error

_NO_RESULT = "its task left no result"


def outcome_of(host: str, result: MultiResult) -> HostOutcome:
    """Classify what a task left behind, a changing or a reading one; what can't be read is a failure.

    Args:
        host: The host's name.
        result: Nornir's results of it, the task's own first.
    """
    if len(result) == 0:
        return HostOutcome(host=host, outcome=Outcome.FAILED, reason=_NO_RESULT)
    first = result[0]
    if not isinstance(first.result, ChangeResult):
        return _outcome_of_reading(host, first)
    ensured = first.result
    outcome = Outcome.CHANGED if ensured.changes else Outcome.OK
    if ensured.error is not None:
        outcome = failure_of(ensured.error)
    return HostOutcome(
        host=host,
        outcome=outcome,
        reason="" if ensured.error is None else reason_of(ensured.error),
        error="" if ensured.error is None else type(ensured.error).__name__,
        changes=tuple(ChangeRecord.of(change) for change in ensured.changes),
        notes=ensured.notes,
        commands=ensured.commands,
        seconds=round(ensured.seconds, 3),
    )


def _outcome_of_reading(host: str, result: Result) -> HostOutcome:
    if result.exception is not None:
        error = root_error(result.exception)
        return HostOutcome(host=host, outcome=failure_of(error), reason=reason_of(error), error=type(error).__name__)
    if result.result is not None:
        return HostOutcome(host=host, outcome=Outcome.OK, commands=1)
    return HostOutcome(host=host, outcome=Outcome.FAILED, reason=_NO_RESULT)


def failure_of(error: Exception) -> Outcome:
    """The outcome of a host whose task ended with an error."""
    return Outcome.UNREACHABLE if isinstance(error, UnreachableError) else Outcome.FAILED


def reason_of(error: Exception) -> str:
    """One line that says what went wrong; an error that nobody foresaw is named as such."""
    text = " ".join(str(error).split())
    if isinstance(error, PodRoutesError):
        return text
    return f"internal error, {type(error).__name__}: {text} (-v shows where)"
