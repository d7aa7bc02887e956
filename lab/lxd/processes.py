"""The processes of a lab's LXD, found by their control groups: LXD is not asked. Imports little."""

import os
from pathlib import Path

from lab import cgroup
from lab.lxd.paths import LxdPaths
from lab.proc import start_time

INIT = "init.scope"
"""Group of the first process of the daemon's process ids."""

DAEMON = "daemon"
"""Group of the daemon and its helpers."""


def holder_pid(paths: LxdPaths) -> int | None:
    """The first process of the daemon's process ids.

    Args:
        paths: The LXD's.

    Returns:
        Its id as this computer sees it; None if it does not run.
    """
    return next((pid for pid in cgroup.pids(f"{paths.cgroup}/{INIT}") if _is_first(pid)), None)


def daemon_pid(paths: LxdPaths) -> int | None:
    """The daemon's process.

    Args:
        paths: The LXD's.

    Returns:
        Its id as this computer sees it; None if it does not run.
    """
    for pid in cgroup.pids(f"{paths.cgroup}/{DAEMON}"):
        # Its helpers outlive it in the same group.
        if _arguments(pid)[:2] == ["lxd", "--logfile"] and start_time(pid) is not None:
            return pid
    return None


def container_pid(paths: LxdPaths, container: str) -> int | None:
    """The process that is a container's PID 1.

    Args:
        paths: The LXD's.
        container: Its name.

    Returns:
        Its id as this computer sees it; None if the container does not run.
    """
    return next((pid for pid in cgroup.pids(paths.payload(container)) if _is_first(pid)), None)


def _is_first(pid: int) -> bool:
    """Whether a process is the first one of its process ids, and lives."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    ids = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
    return ids[-1] == "1" and start_time(pid) is not None


def _arguments(pid: int) -> list[str]:
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
    except OSError:
        return []
