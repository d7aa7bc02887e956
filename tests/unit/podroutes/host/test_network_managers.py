"""Who manages which interface, from what the managers keep in /run on hosts of several releases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.host.network_managers import ManagedLink, parse_managers

NAMES = {1: "lo", 2: "eth0", 3: "eth1"}
LINKS = "/run/systemd/netif/links"
NETWORK = "/etc/systemd/network/eth1.network"
OURS = f"{NETWORK}.d/90-kubernetes-pod-routes.conf"
DEBIAN_12 = f"{LINKS}/3:ADMIN_STATE=configured\n{LINKS}/3:NETWORK_FILE={NETWORK}\n"
NM = "/run/NetworkManager/devices"

CASES: dict[str, tuple[str, str, dict[str, ManagedLink]]] = {
    "nobody": ("", "", {}),
    "systemd 252": ("systemd-networkd\n", DEBIAN_12, {"eth1": ManagedLink("systemd-networkd", NETWORK)}),
    "systemd 252 with a lease": (
        "systemd-networkd\n",
        f"{DEBIAN_12}{LINKS}/3:DHCP_LEASE=/run/systemd/netif/leases/3\n",
        {"eth1": ManagedLink("systemd-networkd", NETWORK, leased=True)},
    ),
    "systemd 257 without drop-ins": (
        "systemd-networkd\n",
        f'{DEBIAN_12}{LINKS}/3:NETWORK_FILE_DROPINS=""\n',
        {"eth1": ManagedLink("systemd-networkd", NETWORK, ())},
    ),
    "systemd 257 with drop-ins, in the order of their names": (
        "systemd-networkd\n",
        f'{DEBIAN_12}{LINKS}/3:NETWORK_FILE_DROPINS="/run/systemd/network/eth1.network.d/05-a b.conf:{OURS}"\n',
        {"eth1": ManagedLink("systemd-networkd", NETWORK, ("/run/systemd/network/eth1.network.d/05-a b.conf", OURS))},
    ),
    "one that is not done": (
        "systemd-networkd\n",
        DEBIAN_12.replace("configured", "configuring"),
        {"eth1": ManagedLink("systemd-networkd", NETWORK, settled=False)},
    ),
    "one that has ended": ("", DEBIAN_12, {}),
    "one that leaves the interface alone": (
        "systemd-networkd\n",
        f"{LINKS}/3:ADMIN_STATE=unmanaged\n{LINKS}/3:NETWORK_FILE={NETWORK}\n",
        {},
    ),
    "of an interface that has gone": ("systemd-networkd\n", DEBIAN_12.replace("/3:", "/9:"), {}),
    "NetworkManager": (
        "NetworkManager\n",
        f"{NM}/2:managed=true\n",
        {"eth0": ManagedLink("NetworkManager")},
    ),
    "NetworkManager lists what systemd-networkd has set up": (
        "systemd-networkd\nNetworkManager\n",
        f"{DEBIAN_12}{NM}/2:managed=true\n{NM}/3:managed=true\n",
        {"eth0": ManagedLink("NetworkManager"), "eth1": ManagedLink("systemd-networkd", NETWORK)},
    ),
    "ifupdown": ("ifupdown lo=lo\nifupdown eth0=office\n", "", {"eth0": ManagedLink("ifupdown")}),
    "other files' lines": ("systemd-networkd\n", "/etc/sysctl.d/1.conf:ADMIN_STATE=configured\n/proc/sys/x:1\n", {}),
}


@pytest.mark.parametrize(("said", "lines", "managed"), CASES.values(), ids=CASES)
def test_who_manages_what(said: str, lines: str, managed: dict[str, ManagedLink]) -> None:
    assert parse_managers(said, lines, NAMES) == managed


@given(st.text(), st.text())
def test_whatever_they_hold_is_no_error(said: str, lines: str) -> None:
    assert parse_managers(said, lines, NAMES).keys() - NAMES.values() <= set(_told(said))


def _told(said: str) -> list[str]:
    return [line.removeprefix("ifupdown ").partition("=")[0] for line in said.splitlines()]
