"""Runs one command and measures it; started where the command is to run, so that getting there is not measured.

Usage: python measure.py RESULT COMMAND [ARGUMENT …]. Standard library alone: it starts at once and weighs little.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_KIB = 1024


def main(argv: list[str]) -> int:
    """Run it.

    Args:
        argv: Where to write the numbers, and the command.

    Returns:
        The command's exit status.
    """
    result, command = argv[0], argv[1:]
    # What the command leaves behind (Ansible's ssh masters) becomes ours, so that it is counted, and ends with it.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    rusage: resource.struct_rusage | None = None
    status = 0
    left = 0.0
    while rusage is None:
        ended, wait_status, used = os.wait4(-1, 0)
        if ended == pid:
            seconds = time.monotonic() - started
            rusage, status = used, os.waitstatus_to_exitcode(wait_status)
        else:
            left += used.ru_utime + used.ru_stime
    left += _end_children()
    numbers = {
        "wall": seconds,
        "cpu": rusage.ru_utime + rusage.ru_stime + left,
        "user": rusage.ru_utime,
        "system": rusage.ru_stime,
        "left_cpu": left,
        "peak_rss": rusage.ru_maxrss * _KIB,
        "status": status,
    }
    Path(result).write_text(json.dumps(numbers))
    return status if status >= 0 else 128 - status


def _end_children() -> float:
    """End what the command has left running; returns the CPU seconds that it used."""
    used = 0.0
    while True:
        for child in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        try:
            _, _, one = os.wait4(-1, 0)
        except ChildProcessError:
            return used
        used += one.ru_utime + one.ru_stime


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
