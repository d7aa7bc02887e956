"""Faults: what can go wrong with containers and with LXD itself, and how to undo it."""

from typing import Protocol

from lab import cgroup
from lab.fault import Fault
from lab.faults import COMMAND_FAULTS, Place
from lab.layout import Host
from lab.lxd import containers, daemon
from lab.lxd.paths import LxdPaths


class LxdPlace(Place, Protocol):
    """The LXD that something can go wrong in."""

    @property
    def paths(self) -> LxdPaths:
        """Names and paths of the LXD."""


def _frozen(lxd: LxdPlace, host: Host) -> str:
    cgroup.freeze(lxd.paths.payload(host.name))
    return "every process is stopped: commands sent there hang"


def _stopped(lxd: LxdPlace, host: Host) -> str:
    containers.stop(lxd.paths, [host.name])
    return "it is shut down"


def _host_down(lxd: LxdPlace, host: Host) -> str:
    containers.stop(lxd.paths, [host.name], force=True)
    return "it is killed"


def _daemon_stopped(lxd: LxdPlace) -> str:
    daemon.stop(lxd.paths)
    return "the daemon is stopped; its containers keep running"


def _daemon_killed(lxd: LxdPlace) -> str:
    daemon.stop(lxd.paths, kill=True)
    return "the daemon is killed; its containers keep running"


def _daemon_frozen(lxd: LxdPlace) -> str:
    daemon.freeze(lxd.paths)
    return "the daemon is frozen: connections are made, and nothing answers"


FAULTS = (
    *COMMAND_FAULTS,
    Fault("frozen", (), "stop every process of the container [repair]", _frozen),
    Fault("stopped", (), "shut the container down [repair]", _stopped),
    Fault("host-down", (), "kill the container [repair]", _host_down),
)
DAEMON_FAULTS = (
    Fault("daemon-stopped", (), "stop the daemon; its containers keep running [repair]", _daemon_stopped),
    Fault("daemon-killed", (), "kill the daemon; its containers keep running [repair]", _daemon_killed),
    Fault("daemon-frozen", (), "make the daemon answer nothing [repair]", _daemon_frozen),
)


def repair_daemon(paths: LxdPaths) -> list[str]:
    """Get the daemon to run.

    Args:
        paths: The LXD's.

    Returns:
        One line for each thing that was repaired.

    Raises:
        LabError: It does not come up.
    """
    if daemon.ensure_running(paths):
        return ["started the daemon"]
    return ["thawed the daemon"] if daemon.thaw(paths) else []
