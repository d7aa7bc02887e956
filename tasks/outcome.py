"""From Nornir's result of a host to the host's outcome."""

from nornir.core.task import MultiResult, Result

from podroutes.errors import UnreachableError
from podroutes.outcomes import ChangeRecord, HostOutcome, Outcome
from tasks.ensure import ChangeResult
from tasks.record import reason_of, root_error

_NO_RESULT = "its task left no result"


def outcome_of(host: str, result: MultiResult) -> HostOutcome:
    """Classify what a task left behind, a changing or a reading one; what can't be read is a failure.

    Args:
        host: The host's name.
        result: Nornir's results of it, the task's own first.
    """
    if len(result) == 0:
        return HostOutcome(host=host, outcome=Outcome.FAILED, reason=_NO_RESULT)
    changed = result[0].result
    if not isinstance(changed, ChangeResult):
        return _outcome_of_reading(host, result[0])
    if changed.error is not None:
        outcome, reason, error = failure_of(changed.error), reason_of(changed.error), type(changed.error).__name__
    else:
        outcome, reason, error = (Outcome.CHANGED if changed.changes else Outcome.OK), "", ""
    return HostOutcome(
        host=host,
        outcome=outcome,
        reason=reason,
        error=error,
        changes=tuple(ChangeRecord.of(change) for change in changed.changes),
        notes=changed.notes,
        commands=changed.commands,
        seconds=round(changed.seconds, 3),
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
