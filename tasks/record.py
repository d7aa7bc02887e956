"""What becomes of one host: the error and the time of a task go into its record."""

import time
from collections.abc import Callable

from msgspec import Struct
from nornir.core.exceptions import NornirSubTaskError
from nornir.core.task import MultiResult, Result

from podroutes.errors import PodRoutesError


class Record(Struct):
    """What became of one host; filled in as far as the task came, so that a failure says what it had done.

    Attributes:
        commands: Remote commands that were run.
        seconds: Time from the start to the end, in seconds.
        error: What went wrong; None if nothing did.
    """

    commands: int = 0
    seconds: float = 0.0
    error: Exception | None = None

    def fill(self, work: Callable[[], None]) -> None:
        """Do a host's work; whatever it raises is kept here, since the other hosts go on."""
        started = time.monotonic()
        try:
            work()
        except Exception as error:  # noqa: BLE001  # the host's result carries it
            self.error = root_error(error)
        self.seconds = time.monotonic() - started


def root_error(error: BaseException) -> Exception:
    """The exception that a subtask raised, from the one that Nornir made of it."""
    while isinstance(error, NornirSubTaskError):
        result: MultiResult | Result = error.result
        inner = result[0].exception if isinstance(result, MultiResult) else result.exception
        if inner is None:
            break
        error = inner
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


def reason_of(error: Exception) -> str:
    """One line that says what went wrong; an error that nobody foresaw is named as such."""
    text = " ".join(str(error).split())
    if isinstance(error, PodRoutesError):
        return text
    return f"internal error, {type(error).__name__}: {text} (-v shows where)"
