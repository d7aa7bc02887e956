"""Writing until a later read shows what is expected, and nobody else is writing any more.

Neutron replaces whole lists and has no way to refuse one that a rival has changed meanwhile (`If-Match` is not atomic,
and host routes do not bump the revision). So what is written is computed from a read just before, and read again after
a moment: whoever was overwritten writes again. That fixes lost answers and passing failures, too.
"""

import random
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from podroutes.errors import AuthenticationError, CloudBusyError, UnreachableError, VerificationError
from podroutes.host.cloud import CloudState
from podroutes.plan.cloud import CloudPlan

# Each attempt waits twice as long as the one before, with jitter, so that rivals do not meet again and again.
ATTEMPTS: Final = 12
FIRST_PAUSE: Final = 0.4
LONGEST_PAUSE: Final = 4.0
# How often a write may fail in a way that passes; what it left is read before it is tried again.
FAILURES: Final = 3

Planned = tuple[CloudState, CloudPlan]


class Part(Struct, frozen=True):
    """A part of a cloud that is written as whole lists.

    Attributes:
        write: Writes what a plan says of it.
        differs: Whether a plan says anything of it.
        content: What a cloud has there, ours and others', when a plan was carried out and nobody else wrote.
    """

    write: Callable[[CloudPlan], None]
    differs: Callable[[CloudPlan], bool]
    content: Callable[[CloudState, CloudPlan], object]


def reconcile(
    part: Part, plan_now: Callable[[], Planned], planned: Planned, *, sleep: Callable[[float], None] = time.sleep
) -> Planned:
    """Write until a read after a moment shows no difference.

    Args:
        part: What is to be written.
        plan_now: Reads the cloud and plans again.
        planned: What it gave just now.
        sleep: Waits that many seconds.

    Returns:
        What `plan_now` gave last.

    Raises:
        VerificationError: There still is a difference in the end; the message says which.
        HostError: The cloud can't be reached.
        CloudError: It refuses.
    """
    state, plan = planned
    if not part.differs(plan):
        return planned
    failures, took, expected = 0, 0.0, None
    for attempt in range(ATTEMPTS):
        if part.differs(plan):
            expected, started = part.content(state, plan), time.monotonic()
            try:
                part.write(plan)
            except (CloudBusyError, UnreachableError) as error:
                failures += 1
                if failures == FAILURES or isinstance(error, AuthenticationError):
                    raise
            took = time.monotonic() - started
        sleep(_pause(attempt, took))
        # The last thing before the next write, so that what a rival has written by then is kept.
        state, plan = plan_now()
        found = part.content(state, CloudPlan())
        # While somebody else is at work there, one who has read before us may be about to write.
        if not part.differs(plan) and found == expected:
            break
        expected = found
    if part.differs(plan):
        missing = "; ".join(f"{change.subject}: {change.reason}" for change in plan.host_plan.changes)
        message = f"somebody keeps changing it; after {ATTEMPTS} attempts: {missing}"
        raise VerificationError(message)
    return state, plan


def _pause(attempt: int, took: float) -> float:
    """Seconds to wait: a rival that has read before us takes about as long to write as we did."""
    longest: float = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * took) * 2**attempt)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311  # jitter, no secret
