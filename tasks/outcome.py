"""From Nornir's result of a host to the host's outcome."""

from nornir.core.task import MultiResult

from podroutes.errors import PodRoutesError, UnreachableError
from podroutes.outcomes import ChangeRecord, HostOutcome, Outcome
from tasks.ensure import Ensured, root_error


def outcome_of(host: str, result: MultiResult) -> HostOutcome:
    """Classify what a changing task left behind; what can't be read is a failure.

    Args:
        host: The host's name.
        result: Nornir's results of it, the task's own first.
    """
    first = result[0]
    if not isinstance(first.result, Ensured):
        reason = reason_of(root_error(first.exception)) if first.exception is not None else "it left no result"
        return HostOutcome(host=host, outcome=Outcome.FAILED, reason=reason, error=type(first.exception).__name__)
    ensured = first.result
    outcome = Outcome.CHANGED if ensured.changes else Outcome.OK
    if ensured.error is not None:
        outcome = Outcome.UNREACHABLE if isinstance(ensured.error, UnreachableError) else Outcome.FAILED
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


def reason_of(error: Exception) -> str:
    """One line that says what went wrong; an error that nobody foresaw is named as such."""
    text = " ".join(str(error).split())
    if isinstance(error, PodRoutesError):
        return text
    return f"internal error, {type(error).__name__}: {text} (-v shows where)"
