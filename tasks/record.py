"""What every task that fills a record does around its work: the error and the time go into the record."""

import time
from collections.abc import Callable
from typing import Protocol

from nornir.core.exceptions import NornirSubTaskError
from nornir.core.task import MultiResult, Result


class Record(Protocol):
    """What became of one host."""

    error: Exception | None
    seconds: float


def fill(record: Record, work: Callable[[], None]) -> None:
    """Do a host's work; whatever it raises is kept in the record, since the other hosts go on.

    Args:
        record: Filled in by the work as far as it comes.
        work: Does it.
    """
    started = time.monotonic()
    try:
        work()
    except NornirSubTaskError as error:
        record.error = root_error(error)
    except Exception as error:  # noqa: BLE001  # the host's result carries it
        record.error = error
    record.seconds = time.monotonic() - started


def root_error(error: BaseException) -> Exception:
    """The exception that a subtask raised, from the one that Nornir made of it."""
    while isinstance(error, NornirSubTaskError):
        result: MultiResult | Result = error.result
        inner = result[0].exception if isinstance(result, MultiResult) else result.exception
        if inner is None:
            break
        error = inner
    return error if isinstance(error, Exception) else RuntimeError(repr(error))
