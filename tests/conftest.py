"""For all tests: what whoever starts them has set does not count; and Hypothesis.

Hypothesis is bounded, and without deadlines, as other work may share the processor.
"""

import os
import signal

from hypothesis import HealthCheck, settings

# Whoever starts the tests may ignore it (`make unit &` in a script), and what ignores it can't be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Neither do their settings of terminals, nor of programs that the tests run with settings of their own.
_PREFIXES = ("LXD_", "INCUS_", "OS_", "ANSIBLE_", "POD_ROUTES_")
_NAMES = (
    *("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("SSH_AUTH_SOCK", "TZ", "XDG_CONFIG_HOME", "XDG_STATE_HOME"),
)
for name in list(os.environ):
    if name.startswith(_PREFIXES) or name in _NAMES:
        del os.environ[name]

settings.register_profile(
    "unit", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
