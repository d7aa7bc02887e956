"""Writing until a later read shows what is wanted.

Neutron replaces whole lists and has no way to refuse one that a rival has changed meanwhile (`If-Match` is not atomic,
and host routes do not bump the revision). So what is written is computed from a read just before, and read again after
a moment: whoever was overwritten writes again. That mends lost answers and passing failures, too.
"""

import random
import time
from collections.abc import Callable
from typing import Final

from podroutes.cloud import CloudState
from podroutes.errors import AuthenticationError, CloudBusyError, UnreachableError, VerificationError
from podroutes.planning.cloud import CloudPlan

# Each attempt waits twice as long as the one before, with jitter, so that rivals do not meet again and again.
ATTEMPTS: Final = 12
FIRST_PAUSE: Final = 0.4
LONGEST_PAUSE: Final = 4.0
# How often a write may fail in a way that passes; what it left is read before it is tried again.
FAILURES: Final = 3


def reconcile(
    write: Callable[[CloudPlan], None],
    plan_now: Callable[[], tuple[CloudState, CloudPlan]],
    planned: CloudPlan,
    differs: Callable[[CloudPlan], bool],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[CloudState, CloudPlan]:
    """Write until a read after a moment shows no difference.

    Args:
        write: Writes what a plan says.
        plan_now: Reads the cloud and plans again.
        planned: What differs now, from a read just before.
        differs: Whether there is anything to write in a plan.
        sleep: Waits that many seconds.

    Returns:
        What was read last, and what is left to do by it.

    Raises:
        VerificationError: It never came to be so; the message says what is missing.
        HostError: The cloud can't be reached.
        CloudError: It refuses.
    """
    failures = 0
    for attempt in range(ATTEMPTS):
        started = time.monotonic()
        try:
            write(planned)
        except (CloudBusyError, UnreachableError) as error:
            failures += 1
            if failures == FAILURES or isinstance(error, AuthenticationError):
                raise
        sleep(_pause(attempt, time.monotonic() - started))
        # The last thing before the next write, so that what a rival has written by then is kept.
        state, planned = plan_now()
        if not differs(planned):
            return state, planned
    missing = "; ".join(f"{change.subject}: {change.reason}" for change in planned.host_plan.changes)
    message = f"somebody keeps changing it; after {ATTEMPTS} attempts: {missing}"
    raise VerificationError(message)


def _pause(attempt: int, took: float) -> float:
    """Seconds to wait: a rival that has read before us takes about as long to write as we did."""
    longest: float = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * took) * 2**attempt)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311  # jitter, no secret
