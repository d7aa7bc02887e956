"""The daemon's resources: storage, networks, the image, containers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab.errors import LabError
from lab.lxd.api import Api
from lab.lxd.bridge import OUTER_BRIDGE
from lab.lxd.nodes import INTERFACE, OUTER_NETWORK, Node
from lab.network import BRIDGE

IMAGE = "node"

AT_ONCE = 3
"""Number of containers that are created or started at the same time."""


def configure(api: Api) -> None:
    """Give a new daemon its storage and the settings of every container.

    Args:
        api: The daemon's.
    """
    # Nothing may be fetched from anywhere.
    api.call("PATCH", "/1.0", {"config": {"images.auto_update_interval": "0"}})
    api.call("POST", "/1.0/storage-pools", {"name": "default", "driver": "dir"})
    outer = {
        "ipv4.address": f"{OUTER_NETWORK[1]}/{OUTER_NETWORK.prefixlen}",
        "ipv4.nat": "true",
        "ipv6.address": "none",
    }
    api.call("POST", "/1.0/networks", {"name": OUTER_BRIDGE, "type": "bridge", "config": outer})
    devices = {
        "root": {"type": "disk", "path": "/", "pool": "default"},
        "eth0": {"type": "nic", "network": OUTER_BRIDGE, "name": "eth0"},
    }
    api.call("PATCH", "/1.0/profiles/default", {"devices": devices})


def ensure_image(api: Api, tarball: Path) -> None:
    """Import the image, unless it is there.

    Args:
        api: The daemon's.
        tarball: The image.
    """
    if any(alias["name"] == IMAGE for alias in api.call("GET", "/1.0/images/aliases?recursion=1")):
        return
    try:
        with tarball.open("rb") as body:
            fingerprint = api.call("POST", "/1.0/images", body)["metadata"]["fingerprint"]
    except LabError:
        # An `up` that was interrupted may have imported it and not named it yet: the daemon has no other image.
        present = api.call("GET", "/1.0/images?recursion=1")
        if not present:
            raise
        fingerprint = present[0]["fingerprint"]
    api.call("POST", "/1.0/images/aliases", {"name": IMAGE, "target": fingerprint})


def instances(api: Api) -> list[str]:
    """Names of the containers that there are.

    Args:
        api: The daemon's.
    """
    return [path.rpartition("/")[2] for path in api.call("GET", "/1.0/instances")]


def create(api: Api, nodes: Sequence[Node]) -> None:
    """Create containers.

    Args:
        api: The daemon's.
        nodes: Those that are not there.
    """

    def create_one(node: Node) -> None:
        api.call("POST", "/1.0/instances", body(node))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(create_one, nodes))


def delete(api: Api, names: Sequence[str]) -> None:
    """Delete containers.

    Args:
        api: The daemon's.
        names: Of containers that do not run.
    """
    for name in names:
        api.call("DELETE", f"/1.0/instances/{quote(name)}")


def body(node: Node) -> dict[str, Any]:
    """The API's description of a new container.

    Args:
        node: The container.
    """
    eth1 = {"type": "nic", "network": BRIDGE, "name": INTERFACE, "ipv4.address": str(node.address)}
    return {
        "name": node.name,
        "type": "container",
        "source": {"type": "image", "alias": IMAGE},
        "devices": {} if node.address is None else {INTERFACE: eth1},
    }


def set_state(api: Api, names: Sequence[str], action: str, *, force: bool = False) -> None:
    """Start, stop or restart containers, several at a time.

    Args:
        api: The daemon's.
        names: Of containers.
        action: `start` or `stop`.
        force: Whether to kill them rather than to shut them down.

    Raises:
        LabError: LXD cannot; the message names the first container.
    """

    def set_one(name: str) -> None:
        state = {"action": action, "force": force, "timeout": 30}
        try:
            api.call("PUT", f"/1.0/instances/{quote(name)}/state", state)
        except LabError as error:
            raise LabError(f"{name}: {error}", status=error.status) from error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(set_one, names))
