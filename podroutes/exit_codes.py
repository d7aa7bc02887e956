"""How a runbook's process ends; the same for all of them."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
DRIFT: Final = 2
# From sysexits.h, where they are EX_USAGE and EX_TEMPFAIL.
USAGE: Final = 64
LOCKED: Final = 75
