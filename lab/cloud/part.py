"""The cloud of a lab, as the command line sees it. Imports little: `exec` must be quick."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lab.cloud.paths import CloudPaths
from lab.errors import LabError
from lab.part import PartStatus, say
from lab.paths import LabPaths

if TYPE_CHECKING:
    from lab.cloud.cloud import Cloud

CLOUD_HOST = "cloud"
"""The cloud's name where a host's is expected."""


class CloudPart:
    """The cloud.

    Args:
        name: The lab's.
    """

    faults_of = "Of the cloud:"

    def __init__(self, name: str) -> None:
        self._name = name
        self._paths = CloudPaths(LabPaths(name))

    @property
    def exists(self) -> bool:
        """Whether the lab has a cloud."""
        return self._paths.state.exists()

    def owns(self, name: str) -> bool:
        """Whether the name stands for the cloud."""
        return name == CLOUD_HOST

    def up(self, size: dict[str, Any]) -> None:
        """Start the cloud, or what of it does not run."""
        self.cloud().up()

    def status(self) -> PartStatus:
        """The state of each service, and what is made to go wrong."""
        cloud = self.cloud()
        states = cloud.status()
        rows: list[tuple[str, ...]] = [("SERVICE", "STATE", "PID", "MEMORY")]
        for one in states:
            running = (one.name, "running", str(one.pid), f"{one.memory / 2**20:.0f} MB")
            rows.append((one.name, "stopped", "-", "-") if one.pid is None else running)
        if any(one.pid is None for one in states):
            return PartStatus(rows, [], running=False)
        return PartStatus(rows, [f"made to go wrong: {fault}" for fault in cloud.control.faults()], running=True)

    def argv(self, name: str, command: Sequence[str]) -> list[str]:
        """Refuse to run a command."""
        raise LabError(f"{name} is not a host: run the command as the operator, without {name}")

    def reboot(self, names: Sequence[str] | None, *, fresh: bool) -> None:
        """Refuse to reboot the cloud by its name; leave it alone where everything is rebooted."""
        if names is not None:
            raise LabError(f"{CLOUD_HOST} is not a host and cannot be rebooted")

    def break_(self, name: str, fault: str, *arguments: str) -> str:
        """Make something go wrong in the cloud."""
        return f"{name}: {self.cloud().break_(fault, *arguments)}"

    def repair(self, names: Sequence[str] | None) -> list[str]:
        """Undo the faults that the runbooks cannot fix; start services that do not run."""
        return [f"{CLOUD_HOST}: {line}" for line in self.cloud().repair()]

    def faults(self) -> list[tuple[str, str]]:
        """Usage and explanation of each fault."""
        from lab.cloud.faults import FAULTS  # noqa: PLC0415 - `exec` must be quick

        return [(fault.usage, fault.explanation) for fault in FAULTS]

    def cloud(self) -> "Cloud":
        """The cloud, which prints its progress."""
        from lab.cloud.cloud import Cloud  # noqa: PLC0415 - `exec` must be quick
        from lab.machines import Lab  # noqa: PLC0415

        return Cloud(Lab(self._name), say=say)
