"""Where a lab's LXD keeps its state. Imports little: `exec` must be quick."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lab.paths import LabPaths

INSIDE = "/var/lib/lxd"
"""Where the daemon itself sees its folder: short, and in place of the one that the computer's own LXD would have."""

LXD_HOST = "lxd"
"""The daemon's name where a host's is expected."""

_CLIENTS = ("LXD_", "INCUS_")


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
    def state(self) -> Path:
        """Names of the containers, as JSON; it is there once the daemon has its networks."""
        return self.root / "lxd.json"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.root / "lxd.log"

    @property
    def client(self) -> Path:
        """The operator's settings of the `lxc` command."""
        return self.lab.operator / "lxc"

    @property
    def cgroup(self) -> str:
        """Name of the control group that the daemon sees as the topmost one; it goes with the lab's."""
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


def container_names(lab: LabPaths) -> list[str]:
    """Names of the containers that a lab has; empty if it has no LXD.

    Args:
        lab: The lab's.
    """
    try:
        names: list[str] = json.loads(LxdPaths(lab).state.read_text())
    except FileNotFoundError:
        return []
    return names


def exists(lab: LabPaths) -> bool:
    """Whether a lab has an LXD.

    Args:
        lab: The lab's.
    """
    return LxdPaths(lab).state.exists()


def operator_environment(lab: LabPaths, environment: Mapping[str, str]) -> dict[str, str]:
    """What the operator's commands see while the lab has an LXD: the guide's commands work as they stand in it.

    Args:
        lab: The lab's.
        environment: What they see without it.

    Returns:
        The same, with the lab's LXD in place of what the caller has of another; unchanged where there is none.
    """
    if not exists(lab):
        return dict(environment)
    paths = LxdPaths(lab)
    kept = {name: value for name, value in environment.items() if not name.startswith(_CLIENTS)}
    return kept | {"LXD_DIR": str(paths.folder), "LXD_CONF": str(paths.client)}
