"""Runs a drift check in this process and prints how many more file descriptors are open after it than before."""

import gc
import sys
from pathlib import Path


def _count() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main() -> int:
    """Run it with this process's own arguments.

    Returns:
        The check's exit code.
    """
    before = _count()
    from runbooks.drift_check import main as drift_check  # noqa: PLC0415  # what importing opens counts, too

    status = drift_check(sys.argv[1:])
    gc.collect()
    print(_count() - before)
    return status


if __name__ == "__main__":
    sys.exit(main())
