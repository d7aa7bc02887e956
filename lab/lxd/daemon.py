"""The daemon's process, and the namespaces that it and its containers live in.

It has the operator's network namespace, so that its bridges and rules are there and nowhere else, and mounts, process
ids and control groups of its own: all that it makes ends with the first process of its process ids. It sees control
groups v2 alone, as the lab's other hosts do, with its own group at the top.
"""

import signal
import time

from lab import cgroup
from lab.defaults import SYSTEM_PATH, command
from lab.errors import LabError
from lab.lxd.api import Api
from lab.lxd.paths import INSIDE, LxdPaths
from lab.lxd.processes import DAEMON, daemon_pid, holder_pid
from lab.paths import NETNS
from lab.proc import is_stopped, send_signal, start_time
from lab.process import last_line, start_detached

_READY_SECONDS = 60.0
_QUIET_SECONDS = 10.0
_POLL_SECONDS = 0.02
_ENVIRONMENT = {"PATH": SYSTEM_PATH, "LXD_DIR": INSIDE, "HOME": "/root", "LANG": "C.UTF-8"}

# A group that has others below it may have no processes of its own where controllers are in use: the first process is
# in `init.scope`, which LXC takes for what it is, and its parent outside.
_HOLDER = """
set -e
echo $$ >"$1/cgroup.procs"
exec unshare --mount --propagation private --cgroup --pid --fork --kill-child --mount-proc sh -ec '
    mount --bind "$1" "$2"
    # Locks of LXC would stay there.
    mount -t tmpfs -o mode=0755 lxd /run
    mount -t sysfs sysfs /sys
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir /sys/fs/cgroup/init.scope /sys/fs/cgroup/daemon
    echo $$ >/sys/fs/cgroup/init.scope/cgroup.procs
    touch "$2/holder"
    # It has to wait for the orphans, too.
    while :; do sleep 2147483647 & wait $!; done
' sh "$2" "$3"
"""
_ENTER = """
set -e
echo $$ >"$1/cgroup.procs"
shift
exec nsenter "$@"
"""


def start_holder(paths: LxdPaths) -> None:
    """Make the namespaces.

    Args:
        paths: The LXD's, whose folder is there and whose namespaces are not.

    Raises:
        LabError: They cannot be made.
    """
    cgroup.kill(paths.cgroup)
    cgroup.kill(paths.starter)
    # Process ids start again: a daemon would kill processes that now have the ids of its old helpers.
    for stale in paths.folder.glob("networks/*/*.pid"):
        stale.unlink()
    stamp = paths.folder / "holder"
    stamp.unlink(missing_ok=True)
    group, starter = cgroup.make(paths.cgroup), cgroup.make(paths.starter)
    argv = ["sh", "-c", _HOLDER, "sh", str(group), str(paths.folder), INSIDE]
    start_detached(["nsenter", f"--net={NETNS / paths.lab.operator_netns}", *argv], paths.log, _ENVIRONMENT)
    deadline = time.monotonic() + _READY_SECONDS
    while not stamp.exists() or holder_pid(paths) is None:
        if time.monotonic() > deadline:
            raise LabError(f"the namespaces of LXD cannot be made; see {paths.log}", status=1)
        time.sleep(_POLL_SECONDS)
    for pid in (group / "cgroup.procs").read_text().split():
        (starter / "cgroup.procs").write_text(pid)


def start(paths: LxdPaths) -> None:
    """Start the daemon and wait until it is ready.

    Args:
        paths: The LXD's, whose namespaces are there and whose daemon does not run.

    Raises:
        LabError: It did not come up; the message has the reason or the log.
    """
    holder = holder_pid(paths)
    if holder is None:
        raise LabError(f"the namespaces of LXD are gone: run {command(paths.lab.name, 'up')}", status=1)
    enter = [
        f"--target={holder}",
        "--mount",
        "--net",
        "--pid",
        "--cgroup",
        "--",
        "lxd",
        "--logfile",
        f"{INSIDE}/lxd.log",
    ]
    group = cgroup.make(f"{paths.cgroup}/{DAEMON}")
    start_detached(["sh", "-c", _ENTER, "sh", str(group), *enter], paths.log, _ENVIRONMENT)
    api, started = Api(paths.socket), time.monotonic()
    seen = False
    while not api.is_ready():
        elapsed, running = time.monotonic() - started, daemon_pid(paths) is not None
        if elapsed > _READY_SECONDS or (not running and (seen or elapsed > _QUIET_SECONDS)):
            what = "did not come up in time" if running else "stopped while it started"
            raise LabError(f"LXD {what}: {last_line(paths.log)}", status=1)
        seen = running
        time.sleep(_POLL_SECONDS)


def ensure_running(paths: LxdPaths) -> bool:
    """Start the daemon unless it runs.

    Args:
        paths: The LXD's.

    Returns:
        False if it runs already.

    Raises:
        LabError: It did not come up.
    """
    if daemon_pid(paths) is not None:
        return False
    start(paths)
    return True


def stop(paths: LxdPaths, *, kill: bool = False) -> bool:
    """Stop the daemon; its containers go on running.

    Args:
        paths: The LXD's.
        kill: Whether to kill it rather than to shut it down.

    Returns:
        False if it did not run.

    Raises:
        LabError: It does not end.
    """
    pid = daemon_pid(paths)
    if pid is None:
        return False
    # SIGPWR, or `lxd shutdown`, would take the containers down too.
    send_signal(pid, signal.SIGKILL if kill else signal.SIGTERM)
    deadline = time.monotonic() + _READY_SECONDS
    while start_time(pid) is not None:
        if time.monotonic() > deadline:
            raise LabError(f"LXD does not end; its log: {paths.log}", status=1)
        time.sleep(_POLL_SECONDS)
    return True


def freeze(paths: LxdPaths) -> None:
    """Stop the daemon's process where it is, until it is thawed.

    Args:
        paths: The LXD's.
    """
    pid = daemon_pid(paths)
    if pid is not None:
        send_signal(pid, signal.SIGSTOP)
        while start_time(pid) is not None and not is_stopped(pid):
            time.sleep(_POLL_SECONDS)


def thaw(paths: LxdPaths) -> bool:
    """Let the daemon's process continue.

    Args:
        paths: The LXD's.

    Returns:
        False if it was not stopped.
    """
    pid = daemon_pid(paths)
    if pid is None or not is_stopped(pid):
        return False
    send_signal(pid, signal.SIGCONT)
    return True
