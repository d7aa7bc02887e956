"""The protocol of the parts of a lab (hosts, cloud, LXD), through which the command line uses them."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class PartStatus(NamedTuple):
    """The state of a part, as it is shown.

    Attributes:
        rows: A table, its head first.
        notes: Lines below it.
        running: Whether all of the part runs.
    """

    rows: list[tuple[str, ...]]
    notes: list[str]
    running: bool


class Part(Protocol):
    """A part of a lab. It imports little before it is used: `exec` must be quick.

    Attributes:
        faults_of: A line above the list of its faults; empty for none.
    """

    faults_of: str

    @property
    def exists(self) -> bool:
        """Whether the lab has this part."""

    def owns(self, name: str) -> bool:
        """Whether a name that was given is one of this part's machines or services.

        Args:
            name: Its name on the command line.
        """

    def up(self, size: dict[str, Any]) -> None:
        """Start what of it does not run.

        Args:
            size: Fields of `Layout` that were asked for.
        """

    def status(self) -> PartStatus:
        """The state of all that is in it."""

    def argv(self, name: str, command: Sequence[str]) -> list[str]:
        """The command that runs another on one of its machines, as root.

        Args:
            name: The machine's.
            command: What to run.
        """

    def reboot(self, names: Sequence[str] | None, *, fresh: bool) -> None:
        """Shut machines down cleanly and boot them again.

        Args:
            names: The machines'; None for all.
            fresh: Whether each gets a pristine root file system.
        """

    def break_(self, name: str, fault: str, *arguments: str) -> str:
        """Make something go wrong; returns one line about what was done.

        Args:
            name: Of what.
            fault: The fault's name.
            arguments: The fault's.
        """

    def repair(self, names: Sequence[str] | None) -> list[str]:
        """Undo the faults that the runbooks cannot fix; returns one line for each thing that was repaired.

        Args:
            names: Of what; None for all.
        """

    def faults(self) -> list[tuple[str, str]]:
        """Usage and explanation of each fault."""


def say(line: str) -> None:
    """Print a line of progress.

    Args:
        line: The line.
    """
    print(f"lab: {line}", flush=True)
