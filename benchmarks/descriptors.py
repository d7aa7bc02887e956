"""Runs two drift checks in this process and prints how many more file descriptors are open after the second one.

What a process needs once, such as the event loop of SSH, is there after the first.
"""

import gc
import sys
from pathlib import Path

from runbooks.drift_check import main as drift_check


def _count() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main() -> int:
    """Run it with this process's own arguments.

    Returns:
        The worse exit code of the two.
    """
    codes, counts = [], []
    for _ in range(2):
        codes.append(drift_check(sys.argv[1:]))
        gc.collect()
        counts.append(_count())
    print(counts[1] - counts[0])
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
