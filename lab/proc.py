"""The state of processes, from /proc."""

import os
from pathlib import Path


def start_time(pid: int) -> int | None:
    """The start time of a process, which distinguishes it from a later one with the same id.

    Args:
        pid: Process id.

    Returns:
        Clock ticks since the computer's boot; None if it does not run (a zombie does not).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the name in parentheses, which may hold anything; the state follows it.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def has_files(pid: int) -> bool:
    """Whether a process still has a root folder.

    The first process of a killed host has already given up its own while it waits for all others to end: it is listed
    as running, but nothing can be read or started there any more.

    Args:
        pid: Process id.
    """
    try:
        Path(f"/proc/{pid}/root").readlink()
    except OSError:
        return False
    return True


def is_stopped(pid: int) -> bool:
    """Whether a process has been stopped by a signal.

    Args:
        pid: Process id.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 :].split()[0] == b"T"


def children(pid: int) -> list[int]:
    """Ids of the children of a process, the oldest first; empty if it is gone.

    Args:
        pid: Process id.
    """
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def send_signal(pid: int, signal: int) -> None:
    """Send a signal; a process that is gone is not an error.

    Args:
        pid: Process id.
        signal: Its number.
    """
    try:
        os.kill(pid, signal)
    except ProcessLookupError:
        return
