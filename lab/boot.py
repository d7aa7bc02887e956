"""Booting hosts and shutting them down."""

import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lab import cgroup
from lab.enter import host_pid
from lab.kernel import in_netns
from lab.layout import Host
from lab.paths import NETNS, HostPaths, LabPaths
from lab.proc import children, send_signal, start_time
from lab.process import last_line, start_detached

_AT_ONCE = 24
_BOOT_SECONDS = 90.0
_QUIET_SECONDS = 15.0
_SHUTDOWN_SECONDS = 25.0
_POLL_SECONDS = 0.02
# systemd's PID 1 takes SIGRTMIN+4 as `systemctl poweroff`.
_POWER_OFF = signal.SIGRTMIN + 4

# The mounts live in a mount namespace of the supervisor, so they go with it, however it ends. The same hides
# /run/systemd, where systemd-nspawn would leave traces. Of the network namespaces' names it keeps its own alone: a host
# has a copy of all that is mounted here, and with a few hundred names each unit that starts in a sandbox takes longer.
_SUPERVISOR = """
set -e
echo $$ >"$1/cgroup.procs"
mount -t overlay -o "lowerdir=$2:$5,upperdir=$3/upper,workdir=$3/work" lab "$3/root"
mount -t tmpfs -o mode=0755 lab /run/systemd
: >"$3/netns"
mount --bind "$4" "$3/netns"
umount --lazy "${4%/*}"
echo $$ >"$3/supervisor.new" && mv "$3/supervisor.new" "$3/supervisor"
shift 5
exec "$@"
"""


@dataclass
class _Booting:
    """A host that is booting."""

    host: Host
    paths: HostPaths
    notify: socket.socket
    started: float
    ready: bool = False
    banner: bytes = b""
    connection: socket.socket | None = field(default=None)


def boot(hosts: Sequence[Host], paths: LabPaths, on_up: Callable[[Host, float], None]) -> dict[str, str]:
    """Boot hosts and wait until each has finished booting and its SSH server answers.

    Args:
        hosts: Hosts that do not run, with their root file systems and networks made.
        paths: The lab's.
        on_up: Called with each host that is up, and how many seconds that took.

    Returns:
        Why it did not come up, for each host that did not.
    """
    failed: dict[str, str] = {}
    todo = deque(hosts)
    booting: list[_Booting] = []
    try:
        while todo or booting:
            while todo and len(booting) < _AT_ONCE:
                booting.append(_start(todo.popleft(), paths))
            select.select([one.notify for one in booting], [], [], _POLL_SECONDS)
            for one in list(booting):
                reason = _look_at(one)
                if reason is None:
                    continue
                booting.remove(one)
                _close(one)
                if reason == "":
                    on_up(one.host, time.monotonic() - one.started)
                else:
                    failed[one.host.name] = reason
                    cut_power(one.paths)
    finally:
        for one in booting:
            _close(one)
    return failed


def shut_down(hosts: Iterable[HostPaths]) -> list[str]:
    """Shut hosts down cleanly, so that their units' stop commands run; cut the power of those that do not stop.

    Args:
        hosts: Those to stop; one that is stopped already is fine.

    Returns:
        Names of those whose power was cut.
    """
    waiting: dict[HostPaths, int] = {}
    hosts = list(hosts)
    for of in hosts:
        pid = host_pid(of)
        if pid is not None and not cgroup.is_frozen(of.cgroup):
            send_signal(pid, _POWER_OFF)
            waiting[of] = pid
    deadline = time.monotonic() + _SHUTDOWN_SECONDS
    while waiting and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        waiting = {of: pid for of, pid in waiting.items() if host_pid(of) is not None}
    for of in hosts:
        cut_power(of)
    return [of.host for of in waiting]


def cut_power(of: HostPaths) -> None:
    """End all of a host's processes at once.

    Args:
        of: The host's paths.
    """
    cgroup.kill(of.cgroup)
    of.pid.unlink(missing_ok=True)


def _start(host: Host, paths: LabPaths) -> _Booting:
    of = paths.host(host.name)
    for stale in (of.pid, of.dir / "supervisor", of.dir / "notify"):
        stale.unlink(missing_ok=True)
    group = cgroup.make(of.cgroup)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    notify.bind(str(of.dir / "notify"))
    nspawn = [
        "systemd-nspawn",
        "--quiet",
        "--settings=no",
        "--register=no",
        "--keep-unit",
        "--notify-ready=yes",
        f"--machine={of.machine}",
        f"--hostname={host.name}",
        f"--directory={of.mountpoint}",
        f"--network-namespace-path={of.dir / 'netns'}",
        "--capability=CAP_NET_ADMIN",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--boot",
    ]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "NOTIFY_SOCKET": str(of.dir / "notify"),
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        # The hosts see control groups v2 alone, as today's systems do, whatever this computer has besides.
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    }
    arguments = (group, paths.template(host.release), of.dir, NETNS / of.netns, paths.base(host.release))
    supervisor = ["sh", "-c", _SUPERVISOR, "lab", *map(str, arguments), *nspawn]
    start_detached(["unshare", "--mount", "--propagation", "private", *supervisor], of.console, environment)
    return _Booting(host, of, notify, time.monotonic())


def _look_at(one: _Booting) -> str | None:
    """The state of a booting host: None if it is not up yet, empty if it is up, else why it failed."""
    _read_notifications(one)
    elapsed = time.monotonic() - one.started
    if elapsed > _BOOT_SECONDS:
        return f"did not come up within {_BOOT_SECONDS:.0f} s; its console: {one.paths.console}"
    supervisor = _supervisor(one.paths)
    if supervisor is not None and start_time(supervisor) is None:
        return f"stopped while it booted: {last_line(one.paths.console)}"
    if supervisor is None and elapsed > _QUIET_SECONDS:
        return f"could not be started: {last_line(one.paths.console)}"
    # A unit of the host that never finishes starting must not hide that the host itself works.
    if (one.ready or elapsed > _QUIET_SECONDS) and supervisor is not None and _ssh_answers(one):
        inside = children(supervisor)
        started = start_time(inside[0]) if inside else None
        if started is not None:
            one.paths.pid.write_text(f"{inside[0]} {started}\n")
            return ""
    return None


def _read_notifications(one: _Booting) -> None:
    while True:
        try:
            message = one.notify.recv(4096)
        except BlockingIOError:
            return
        one.ready = one.ready or b"READY=1" in message.splitlines()


def _ssh_answers(one: _Booting) -> bool:
    """Whether the host's SSH server has sent its version; called again until it has."""
    if one.connection is None:
        # A socket belongs to the namespace in which it was made, whoever uses it.
        one.connection = in_netns(one.paths.lab.operator_netns, socket.socket)
        one.connection.settimeout(0.5)
        try:
            one.connection.connect((str(one.host.address.ip), 22))
        except OSError:
            _disconnect(one)
            return False
    try:
        one.banner += one.connection.recv(64)
    except TimeoutError:
        return False
    except OSError:
        _disconnect(one)
        return False
    return one.banner.startswith(b"SSH-2.0")


def _disconnect(one: _Booting) -> None:
    if one.connection is not None:
        one.connection.close()
        one.connection = None


def _close(one: _Booting) -> None:
    _disconnect(one)
    one.notify.close()
    (one.paths.dir / "notify").unlink(missing_ok=True)


def _supervisor(of: HostPaths) -> int | None:
    try:
        return int((of.dir / "supervisor").read_text())
    except (OSError, ValueError):
        return None
