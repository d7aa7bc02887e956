"""Faults: what can go wrong with containers and with LXD itself, and how to undo it."""

from lab import cgroup, faults
from lab.faults import Fault
from lab.layout import Host
from lab.lxd import daemon
from lab.lxd.lxd import Lxd

# Those that need nothing of a host but a command that runs there.
_OF_ANY_HOST = (
    "drop-route",
    "wrong-next-hop",
    "forwarding-off",
    "unit-edited",
    "unit-disabled",
    "link-bounced",
    "own-cidr-route",
    "foreign-route",
    "duplicate-route",
    "stale-route",
)


def _frozen(lxd: Lxd, host: Host) -> str:
    cgroup.freeze(lxd.paths.payload(host.name), frozen=True)
    return "every process is stopped: commands sent there hang"


def _stopped(lxd: Lxd, host: Host) -> str:
    lxd.stop(host.name)
    return "it is shut down"


def _host_down(lxd: Lxd, host: Host) -> str:
    lxd.stop(host.name, force=True)
    return "it is killed"


def _daemon_stopped(lxd: Lxd) -> str:
    lxd.stop_daemon()
    return "the daemon is stopped; its containers go on running"


def _daemon_killed(lxd: Lxd) -> str:
    lxd.stop_daemon(kill=True)
    return "the daemon is killed; its containers go on running"


def _daemon_frozen(lxd: Lxd) -> str:
    daemon.freeze(lxd.paths)
    return "the daemon is frozen: connections are made, and nothing answers"


FAULTS = (
    *(fault for fault in faults.FAULTS if fault.name in _OF_ANY_HOST),
    Fault("frozen", (), "stop every process of the container [mend]", _frozen),
    Fault("stopped", (), "shut the container down [mend]", _stopped),
    Fault("host-down", (), "kill the container [mend]", _host_down),
)
DAEMON_FAULTS = (
    Fault("daemon-stopped", (), "stop the daemon; its containers go on running [mend]", _daemon_stopped),
    Fault("daemon-killed", (), "kill the daemon; its containers go on running [mend]", _daemon_killed),
    Fault("daemon-frozen", (), "make the daemon answer nothing [mend]", _daemon_frozen),
)


def mend_daemon(lxd: Lxd) -> list[str]:
    """Have the daemon run.

    Args:
        lxd: The LXD.

    Returns:
        One line for each thing that was mended.

    Raises:
        LabError: It does not come up.
    """
    if lxd.start_daemon():
        return ["started the daemon"]
    return ["thawed the daemon"] if daemon.thaw(lxd.paths) else []
