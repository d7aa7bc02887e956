"""Runs a drift check in this process and prints how many more file descriptors are open after it than before."""

import asyncio
import gc
import sys
from pathlib import Path

from podroutes.plugins.connections.ssh import loop


def _count() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main() -> int:
    """Run it with this process's own arguments.

    Returns:
        The check's exit code.
    """
    # The event loop that all connections share stays for the next; it is no connection's.
    loop.run(asyncio.sleep(0))
    before = _count()
    from runbooks.drift_check import main as drift_check  # noqa: PLC0415  # what importing opens counts, too

    status = drift_check(sys.argv[1:])
    gc.collect()
    print(_count() - before)
    return status


if __name__ == "__main__":
    sys.exit(main())
