"""Paths of a lab's cloud, and the ports it listens on. Imports little: `exec` must be quick."""

from pathlib import Path
from typing import NamedTuple

from lab.paths import LabPaths

ADDRESS = "127.0.0.1"
"""All of it is on the loopback of the operator's namespace, so that the ports are the same in every lab."""

IDENTITY_PORT = 5000
NETWORK_PORT = 9696
_BEHIND = 1
"""Added to the port of the edge: where the service itself listens."""

CLOUD = "kubernetes"
"""The project's user in `clouds.yaml`."""

INSIDE = Path(__file__).resolve().parent / "inside"
"""Programs that run in the cloud's own environment."""


class CloudPaths(NamedTuple):
    """Names and paths of one lab's cloud."""

    lab: LabPaths

    @property
    def root(self) -> Path:
        """All of the cloud's files, apart from what the operator sees; it is in the lab's own tmpfs."""
        return self.lab.root / "cloud"

    @property
    def state(self) -> Path:
        """The cloud's settings, as JSON; it is written once the databases exist."""
        return self.root / "cloud.json"

    @property
    def control(self) -> Path:
        """The socket for commands to the edge."""
        return self.root / "edge.sock"

    @property
    def clouds_file(self) -> Path:
        """The operator's `clouds.yaml`."""
        return self.lab.operator / "clouds.yaml"

    @property
    def cgroup(self) -> str:
        """Name of the control group that holds a group for each service; it is below the lab's."""
        return f"{self.lab.cgroup}/cloud"

    def log(self, service: str) -> Path:
        """A service's log.

        Args:
            service: `keystone`, `neutron`, `edge` or `mariadb`.
        """
        return self.root / f"{service}.log"


def url(port: int, *, direct: bool = False, path: str = "") -> str:
    """The URL of a service.

    Args:
        port: That of the edge.
        direct: Past the edge.
        path: What follows the port, with its slash.
    """
    return f"http://{ADDRESS}:{behind(port) if direct else port}{path}"


def behind(port: int) -> int:
    """The port of the service itself.

    Args:
        port: That of the edge.
    """
    return port + _BEHIND
