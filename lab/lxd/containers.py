"""Starting containers, waiting for them, stopping them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lab import cgroup, enter
from lab.errors import LabError
from lab.lxd import resources
from lab.lxd.api import Api
from lab.lxd.enter import container_argv
from lab.lxd.paths import LxdPaths
from lab.lxd.processes import container_pid
from lab.process import captured

_UP_SECONDS = 60.0
_POLL_SECONDS = 0.05
_BUSY = ("Instance is busy", "already running")
# A unit that failed must not hide that the container itself works. Addresses are waited for from here: a unit of the
# container that did so would hide that others fail to.
_BOOTED = (
    "systemctl is-system-running --wait | grep -q -E '^(running|degraded)$' &&"
    " exec /lib/systemd/systemd-networkd-wait-online --quiet --timeout=30"
)


def state(paths: LxdPaths, name: str) -> str:
    """The state of a container; LXD is not asked.

    Args:
        paths: The LXD's.
        name: The container's name.

    Returns:
        `running`, `frozen` or `stopped`.
    """
    if container_pid(paths, name) is None:
        return "stopped"
    return "frozen" if cgroup.is_frozen(paths.payload(name)) else "running"


def start(paths: LxdPaths, names: Sequence[str]) -> None:
    """Start those that do not run, and wait until all have booted and have their addresses.

    Args:
        paths: The LXD's.
        names: Of containers.

    Raises:
        LabError: One did not come up.
    """
    if not names:
        return
    with ThreadPoolExecutor(resources.AT_ONCE) as pool:
        list(pool.map(lambda name: _start_one(paths, name), names))
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: _wait_until_up(paths, name), names))


def stop(paths: LxdPaths, names: Sequence[str], *, force: bool = False) -> None:
    """Shut down those that run.

    Args:
        paths: The LXD's.
        names: Of containers.
        force: Whether to kill them.

    Raises:
        LabError: One does not stop.
    """
    running = [name for name in names if container_pid(paths, name) is not None]
    for name in running:
        thaw(paths, name)
    resources.set_state(Api(paths.socket), running, "stop", force=force)


def thaw(paths: LxdPaths, name: str) -> bool:
    """Let a container's processes continue.

    Args:
        paths: The LXD's.
        name: The container's name.

    Returns:
        False if they were not frozen.
    """
    return cgroup.thaw(paths.payload(name))


def _start_one(paths: LxdPaths, name: str) -> None:
    deadline = time.monotonic() + _UP_SECONDS
    while container_pid(paths, name) is None:
        try:
            resources.set_state(Api(paths.socket), [name], "start")
        except LabError as error:
            # LXD takes a moment to clear up after one that has died, and a new daemon starts what ran before by itself.
            if time.monotonic() > deadline or not any(word in str(error) for word in _BUSY):
                raise
        time.sleep(_POLL_SECONDS)


def _wait_until_up(paths: LxdPaths, name: str) -> None:
    deadline = time.monotonic() + _UP_SECONDS
    while True:
        if container_pid(paths, name) is not None:
            argv = container_argv(paths, name, ["sh", "-c", _BOOTED])
            if captured(argv, enter.host_environment(), None).returncode == 0:
                return
        if time.monotonic() > deadline:
            raise LabError(f"{name} did not come up within {_UP_SECONDS:.0f} s; try `lxc console {name}`", status=1)
        time.sleep(_POLL_SECONDS)
