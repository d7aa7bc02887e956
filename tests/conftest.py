"""For all tests: Ctrl-C, and Hypothesis.

Hypothesis is bounded, and without deadlines, as other work may share the processor.
"""

import os
import signal

from hypothesis import HealthCheck, settings

# Whoever starts the tests may ignore it (`make unit &` in a script), and what ignores it can't be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "unit", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
