"""The LXD of a lab and its containers, as the command line sees them. Imports little: `exec` must be quick."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.lxd.paths import LXD_HOST, LxdPaths
from lab.part import PartStatus, say
from lab.paths import LabPaths

if TYPE_CHECKING:
    from lab.lxd.lxd import Lxd

_NO_CHOICE = {
    "ipv6": "have no --ipv6",
    "pods": "always have pods: leave out --pods and --no-pods",
    "release": "all have the same Debian: leave out --release",
}


class LxdPart:
    """The daemon and its containers.

    Args:
        name: The lab's.
    """

    faults_of = "Of LXD, and of containers besides the first ten above:"

    def __init__(self, name: str) -> None:
        self._name = name
        self._paths = LxdPaths(LabPaths(name))

    @property
    def exists(self) -> bool:
        """Whether the lab has containers."""
        return self._paths.lab.container_names() != []

    def owns(self, name: str) -> bool:
        """Whether the name stands for the daemon or a container."""
        return name == LXD_HOST or name in self._paths.lab.container_names()

    def up(self, size: dict[str, Any]) -> None:
        """Start the daemon and the containers."""
        check_size(size)
        self.lxd().up(**size)

    def status(self) -> PartStatus:
        """The state of each container, and of the daemon."""
        lxd = self.lxd()
        states = lxd.status()
        rows: list[tuple[str, ...]] = [("CONTAINER", "ADDRESS", "STATE", "POD", "PID")]
        for one in states:
            values = (one.node.address, one.state, one.node.pod_address, one.pid)
            rows.append((one.node.name, *("-" if value is None else str(value) for value in values)))
        pid = lxd.daemon_pid
        daemon = "LXD is stopped" if pid is None else f"LXD runs (PID {pid}); LXD_DIR={self._paths.folder}"
        running = pid is not None and all(one.state == "running" for one in states)
        return PartStatus(rows, ["", daemon], running)

    def argv(self, name: str, command: Sequence[str]) -> list[str]:
        """The command that runs another in a container."""
        from lab.lxd.enter import container_argv  # noqa: PLC0415 - not for other commands

        names = self._paths.lab.container_names()
        if name not in names:
            raise LabError(f"there is no container {name!r}: {', '.join(names)}")
        return container_argv(self._paths, name, command)

    def reboot(self, names: Sequence[str] | None, *, fresh: bool) -> None:
        """Shut containers down cleanly and start them again."""
        self.lxd().reboot(names, fresh=fresh)

    def break_(self, name: str, fault: str, *arguments: str) -> str:
        """Make something go wrong with a container or the daemon."""
        return self.lxd().break_(name, fault, *arguments)

    def repair(self, names: Sequence[str] | None) -> list[str]:
        """Undo the faults that the runbooks cannot fix; start what is stopped."""
        return self.lxd().repair(names)

    def faults(self) -> list[tuple[str, str]]:
        """Usage and explanation of each fault that hosts cannot have."""
        from lab.faults import FAULTS as OF_HOSTS  # noqa: PLC0415 - `exec` must be quick
        from lab.lxd.faults import DAEMON_FAULTS, FAULTS  # noqa: PLC0415

        own = [(fault.usage, fault.explanation) for fault in FAULTS if fault not in OF_HOSTS]
        return own + [(f"{LXD_HOST} {fault.usage}", fault.explanation) for fault in DAEMON_FAULTS]

    def lxd(self) -> "Lxd":
        """The LXD, which prints its progress."""
        from lab.lxd.lxd import Lxd  # noqa: PLC0415 - `exec` must be quick
        from lab.machines import Lab  # noqa: PLC0415

        return Lxd(Lab(self._name, say=say), say=say)


def check_size(size: dict[str, Any]) -> None:
    """Check that containers can have a size.

    Args:
        size: Fields of `Layout` that were asked for.

    Raises:
        LabError: They cannot.
    """
    for key, words in _NO_CHOICE.items():
        if key in size:
            raise LabError(f"containers {words}")
