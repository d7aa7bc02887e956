"""The lab's node bridge becomes one of LXD's networks, so that LXD knows and hands out the addresses on it."""

from lab.kernel import write_sysctls
from lab.layout import Layout
from lab.lxd.api import Api
from lab.network import BRIDGE, batch, links
from lab.paths import NETNS
from lab.process import run

OUTER_BRIDGE = "lxdbr0"
"""The bridge of the containers' default route."""

_ASIDE = "lab0aside"


def take_over(api: Api, layout: Layout, netns: str) -> None:
    """Make the lab's own node bridge one of the daemon's networks.

    LXD has to make the bridge itself: meanwhile the lab's own one, with all its ports, has another name.

    Args:
        api: The daemon's.
        layout: The lab's.
        netns: Name of the operator's namespace.
    """
    if _ASIDE not in links(netns):
        batch(netns, [f"link set {BRIDGE} down", f"link set {BRIDGE} name {_ASIDE}"])
    config = {"ipv4.address": str(layout.gateway[0]), "ipv4.nat": "false", "ipv6.address": "none"}
    api.call("POST", "/1.0/networks", {"name": BRIDGE, "type": "bridge", "config": config})
    batch(netns, [*_moved(netns, _ASIDE, BRIDGE), f"link delete {_ASIDE}"])


def give_back(netns: str) -> None:
    """Remove what a daemon that is gone has left in the operator's namespace; the node bridge stays.

    Args:
        netns: Name of the operator's namespace.
    """
    if not (NETNS / netns).exists():
        return
    found = links(netns)
    if OUTER_BRIDGE in found:
        batch(netns, [f"link delete {OUTER_BRIDGE}"])
    if _ASIDE in found:
        # It was interrupted while it took the bridge over.
        made = [*_moved(netns, BRIDGE, _ASIDE), f"link delete {BRIDGE}"] if BRIDGE in found else []
        batch(netns, [*made, f"link set {_ASIDE} name {BRIDGE}", f"link set {BRIDGE} up"])
    nft = ["nsenter", f"--net={NETNS / netns}", "nft"]
    for line in run([*nft, "list", "tables"], check=False).stdout.splitlines():
        if line.split()[-1] == "lxd":
            run([*nft, "delete", *line.split()])
    # A managed bridge turned it on.
    write_sysctls(netns, {"ipv4/ip_forward": "0"})


def _moved(netns: str, here: str, there: str) -> list[str]:
    """Commands that plug everything into another bridge."""
    return [f"link set {port} master {there}" for port in links(netns, "master", here)]
