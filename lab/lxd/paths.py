"""Paths and names of a lab's LXD. Imports little: `exec` must be quick."""

from pathlib import Path
from typing import NamedTuple

from lab.paths import LabPaths

INSIDE = "/var/lib/lxd"
"""The daemon's folder as the daemon sees it: short, and in place of that of the computer's own LXD."""

LXD_HOST = "lxd"
"""The daemon's name where a host's is expected."""


class LxdPaths(NamedTuple):
    """Names and paths of one lab's LXD."""

    lab: LabPaths

    @property
    def root(self) -> Path:
        """All of its files, apart from what the operator sees; it is in the lab's own tmpfs."""
        return self.lab.root / "lxd"

    @property
    def folder(self) -> Path:
        """LXD_DIR, as it is seen outside the daemon's mount namespace."""
        return self.root / "var"

    @property
    def socket(self) -> Path:
        """The socket of the API; its path is far shorter than the 107 bytes that there may be."""
        return self.folder / "unix.socket"

    @property
    def log(self) -> Path:
        """The daemon's output."""
        return self.root / "lxd.log"

    @property
    def client(self) -> Path:
        """The operator's settings of the `lxc` command."""
        return self.lab.operator / "lxc"

    @property
    def cgroup(self) -> str:
        """Name of the control group that the daemon sees as its root; it is below the lab's."""
        return f"{self.lab.cgroup}/lxd"

    @property
    def starter(self) -> str:
        """Name of the control group of what must not be in a group that has others below it."""
        return f"{self.lab.cgroup}/lxd-starter"

    def payload(self, container: str) -> str:
        """Name of a container's control group.

        Args:
            container: Its name.
        """
        return f"{self.cgroup}/lxc.payload.{container}"
