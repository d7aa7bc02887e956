"""The hosts of a lab, as the command line sees them. Imports little: `exec` must be quick."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lab.part import PartStatus, say
from lab.paths import LabPaths

if TYPE_CHECKING:
    from lab.machines import Lab


class HostsPart:
    """The hosts.

    Args:
        name: The lab's.
    """

    faults_of = ""

    def __init__(self, name: str) -> None:
        self._name = name
        self._paths = LabPaths(name)

    @property
    def exists(self) -> bool:
        """Whether the lab has hosts. One without other machines has, even if it is not there yet."""
        from lab.state import read_layout  # noqa: PLC0415 - `exec` must be quick

        return self._paths.container_names() == [] or read_layout(self._paths).hosts != ()

    def owns(self, name: str) -> bool:
        """Whether there is a host of that name."""
        return self._paths.host(name).dir.is_dir()

    def up(self, size: dict[str, Any]) -> None:
        """Start the lab, or the hosts that do not run."""
        self.lab().up(**size)

    def status(self) -> PartStatus:
        """The state of each host."""
        lab = self.lab()
        states = lab.status()
        rows: list[tuple[str, ...]] = [("HOST", "ADDRESS", "STATE", "POD", "PID")]
        for one in states:
            addresses = ",".join(str(address.ip) for address in one.host.addresses)
            pods = ",".join(str(address) for address in one.host.pod_addresses) if lab.layout.pods else ""
            rows.append((one.host.name, addresses, one.state, pods or "-", "-" if one.pid is None else str(one.pid)))
        if lab.layout.release != "":
            releases = ["RELEASE", *(one.host.release or "" for one in states)]
            rows = [(*row, release) for row, release in zip(rows, releases, strict=True)]
        return PartStatus(rows, [], all(one.state == "running" for one in states))

    def argv(self, name: str, command: Sequence[str]) -> list[str]:
        """The command that runs another on a host."""
        from lab import enter  # noqa: PLC0415 - not for other commands

        if not self.owns(name):
            # The layout takes long to load and is needed only to say what is wrong.
            from lab.state import read_layout  # noqa: PLC0415

            read_layout(self._paths).host(name)
        return enter.host_argv(self._paths.host(name), command)

    def reboot(self, names: Sequence[str] | None, *, fresh: bool) -> None:
        """Shut hosts down cleanly and boot them again."""
        self.lab().reboot(names, fresh=fresh)

    def break_(self, name: str, fault: str, *arguments: str) -> str:
        """Make something go wrong on a host."""
        return self.lab().break_(name, fault, *arguments)

    def repair(self, names: Sequence[str] | None) -> list[str]:
        """Undo the faults that the runbooks cannot fix; boot hosts that are down."""
        return self.lab().repair(names)

    def faults(self) -> list[tuple[str, str]]:
        """Usage and explanation of each fault."""
        from lab.faults import FAULTS  # noqa: PLC0415 - `exec` must be quick

        return [(fault.usage, fault.explanation) for fault in FAULTS]

    def lab(self) -> "Lab":
        """The lab, which prints its progress."""
        from lab.machines import Lab  # noqa: PLC0415 - `exec` must be quick

        return Lab(self._name, say=say)
