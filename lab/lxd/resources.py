"""What the daemon is told to have: storage, networks, the image, containers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab.errors import LabError
from lab.kernel import write_sysctls
from lab.layout import Layout
from lab.lxd.api import Api
from lab.lxd.nodes import INTERFACE, OUTER_NETWORK, Node
from lab.network import BRIDGE
from lab.paths import NETNS
from lab.process import run

OUTER_BRIDGE = "lxdbr0"
IMAGE = "node"
_AT_ONCE = 3
_ASIDE = "lab0aside"


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


def take_over_bridge(api: Api, layout: Layout, netns: str) -> None:
    """Make the lab's own node bridge one of the daemon's networks, so that it hands out the containers' addresses.

    LXD wants to make the bridge itself: the lab's own one, with what is plugged in there, stands aside meanwhile.

    Args:
        api: The daemon's.
        layout: The lab's.
        netns: Name of the operator's namespace.
    """
    ports, links = _ports(netns, BRIDGE), _links(netns)
    if _ASIDE not in links:
        _batch(netns, [f"link set {BRIDGE} down", f"link set {BRIDGE} name {_ASIDE}"])
    elif BRIDGE in links:
        # An earlier try was interrupted.
        _batch(netns, [*(f"link set {port} master {_ASIDE}" for port in ports), f"link delete {BRIDGE}"])
    config = {"ipv4.address": str(layout.gateway[0]), "ipv4.nat": "false", "ipv6.address": "none"}
    api.call("POST", "/1.0/networks", {"name": BRIDGE, "type": "bridge", "config": config})
    back = [f"link set {port} master {BRIDGE}" for port in _ports(netns, _ASIDE)]
    _batch(netns, [*back, f"link delete {_ASIDE}"])


def clear_network(netns: str) -> None:
    """Remove what a daemon that is gone has left in the operator's namespace; the node bridge stays.

    Args:
        netns: Name of the operator's namespace.
    """
    if OUTER_BRIDGE in _links(netns):
        _batch(netns, [f"link delete {OUTER_BRIDGE}"])
    nft = ["nsenter", f"--net={NETNS / netns}", "nft"]
    for line in run([*nft, "list", "tables"], check=False).stdout.splitlines():
        if line.split()[-1] == "lxd":
            run([*nft, "delete", *line.split()])
    # A managed bridge has turned it on.
    write_sysctls(netns, {"ipv4/ip_forward": "0"})


def _links(netns: str) -> list[str]:
    return _names(run(["ip", "-n", netns, "-brief", "link", "show"]).stdout)


def _ports(netns: str, bridge: str) -> list[str]:
    return _names(run(["ip", "-n", netns, "-brief", "link", "show", "master", bridge], check=False).stdout)


def _names(listed: str) -> list[str]:
    return [line.split()[0].split("@")[0] for line in listed.splitlines()]


def _batch(netns: str, lines: Sequence[str]) -> None:
    run(["ip", "-n", netns, "-batch", "-"], stdin="\n".join(lines) + "\n")


def ensure_image(api: Api, tarball: Path) -> None:
    """Import the image, unless it is there.

    Args:
        api: The daemon's.
        tarball: The image.
    """
    if any(alias["name"] == IMAGE for alias in api.call("GET", "/1.0/images/aliases?recursion=1")):
        return
    with tarball.open("rb") as body:
        imported = api.call("POST", "/1.0/images", body)
    fingerprint = imported["metadata"]["fingerprint"]
    api.call("POST", "/1.0/images/aliases", {"name": IMAGE, "target": fingerprint})


def instances(api: Api) -> dict[str, str]:
    """The state of each container, `Running` or `Stopped`, by its name.

    Args:
        api: The daemon's.
    """
    return {one["name"]: one["status"] for one in api.call("GET", "/1.0/instances?recursion=1")}


def create(api: Api, nodes: Sequence[Node]) -> None:
    """Create containers.

    Args:
        api: The daemon's.
        nodes: Those that are not there.
    """

    def create_one(node: Node) -> None:
        api.call("POST", "/1.0/instances", body(node))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
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
    """What the API wants to know of a new container.

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
        action: `start`, `stop` or `restart`.
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

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(set_one, names))
