"""Control groups of the unified hierarchy: one for each host, which freezes, kills and counts all that runs in it."""

import os
import time
from pathlib import Path

from lab.errors import LabError

_KILL_SECONDS = 10.0


def mount_point() -> Path:
    """The mount point of the unified hierarchy (cgroup v2).

    Raises:
        LabError: It is not mounted.
    """
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" - ")
        if len(fields) > 1 and fields[1].startswith("cgroup2 "):
            return Path(fields[0].split()[4])
    raise LabError("the lab needs control groups v2: mount -t cgroup2 cgroup2 /sys/fs/cgroup")


def make(group: str) -> Path:
    """Make a group, and those above it.

    Args:
        group: Path below the mount point.

    Returns:
        Its folder.
    """
    path = mount_point() / group
    path.mkdir(parents=True, exist_ok=True)
    return path


def pids(group: str) -> list[int]:
    """Ids of all processes in a group and below it; empty if there is no such group.

    Args:
        group: Path below the mount point.
    """
    found: list[int] = []
    for folder, _, _ in os.walk(mount_point() / group):
        try:
            found += [int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()]
        except OSError:
            continue  # removed in the meantime
    return found


def is_frozen(group: str) -> bool:
    """Whether a group is frozen.

    Args:
        group: Path below the mount point.
    """
    try:
        return (mount_point() / group / "cgroup.freeze").read_text().strip() == "1"
    except OSError:
        return False


def freeze(group: str) -> None:
    """Stop every process of a group where it is, until `thaw`.

    Args:
        group: Path below the mount point.
    """
    (mount_point() / group / "cgroup.freeze").write_text("1")


def thaw(group: str) -> bool:
    """Continue every process of a group that is frozen.

    Args:
        group: Path below the mount point.

    Returns:
        False if it is not frozen.
    """
    if not is_frozen(group):
        return False
    (mount_point() / group / "cgroup.freeze").write_text("0")
    return True


def kill(group: str) -> None:
    """Kill every process of a group and remove the group; nothing to do if it is not there.

    Args:
        group: Path below the mount point.

    Raises:
        LabError: A process did not die.
    """
    path = mount_point() / group
    deadline = time.monotonic() + _KILL_SECONDS
    while path.exists():
        try:
            (path / "cgroup.kill").write_text("1")
        except FileNotFoundError:
            # A kernel before 5.14, or the group has gone by now.
            for pid in pids(group):
                _kill(pid)
        if _remove(path):
            return
        if time.monotonic() > deadline:
            raise LabError(f"processes of the control group {path} do not end: {pids(group)}", status=1)
        time.sleep(0.01)


def sweep(group: str) -> None:
    """Remove a group from hierarchies of control groups v1, too: systemd-nspawn copies it there.

    Args:
        group: Path below the mount points; nothing runs in it any more.
    """
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" - ")
        if len(fields) > 1 and fields[1].startswith("cgroup "):
            _remove(Path(fields[0].split()[4]) / group)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def _remove(path: Path) -> bool:
    """Remove a group and those below it; False while something still runs in one."""
    try:
        for folder, _, _ in os.walk(path, topdown=False):
            os.rmdir(folder)  # noqa: PTH106 - a cgroup's folder, as os.walk gives it
    except FileNotFoundError:
        return not path.exists()
    except OSError:
        return False
    return True
