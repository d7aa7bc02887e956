"""Who sets up a host's interfaces: systemd-networkd, NetworkManager or ifupdown.

All of it stands in files that they keep in /run: asking `networkctl` or `nmcli` would be a process and a call over
D-Bus on every host.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from podroutes.host.managed_files import IFUPDOWN_HOOK, NETWORKMANAGER_HOOK

Manager = Literal["systemd-networkd", "NetworkManager", "ifupdown"]

# What `grep` has to look for in them, and where.
STATE_FILES: Final = ("/run/systemd/netif/links/*", "/run/NetworkManager/devices/*")
STATE_LINES: Final = (
    "^ADMIN_STATE=(pending|initialized|configuring|configured|failed|linger)$",  # not unmanaged
    "^NETWORK_FILE(_DROPINS)?=",
    "^DHCP_LEASE=",
    "^managed=true$",
)
_STATE_LINE: Final = re.compile(
    r"^/run/(?P<daemon>systemd/netif/links|NetworkManager/devices)/(?P<index>\d+):(?P<key>\w+)=(?P<value>.*)$",
    re.MULTILINE,
)
_IFUPDOWN: Final = "ifupdown "


class KnownManager(Struct, frozen=True):
    """What is to be known of a network manager.

    Attributes:
        setting: What has it see to our routes.
        unit: Its own unit.
        takes_away: When it takes them away, with `{}` for the device; seen.
        keeps: What the setting does.
        hook: A script of ours that it runs when it has given an interface its addresses; empty where it needs none.
    """

    setting: str
    unit: str
    takes_away: str
    keeps: str = "they are set again at once"
    hook: str = ""


MANAGERS: Final[Mapping[Manager, KnownManager]] = {
    "systemd-networkd": KnownManager(
        "networkd",
        "systemd-networkd.service",
        "when {} is reconfigured or loses its carrier, and at some restarts of systemd-networkd",
        "it keeps them",
    ),
    "NetworkManager": KnownManager(
        "networkmanager",
        "NetworkManager.service",
        "when a connection is activated on {} or its carrier is away for some seconds",
        hook=NETWORKMANAGER_HOOK,
    ),
    "ifupdown": KnownManager(
        "ifupdown",
        "networking.service",
        "at `ifdown {}` and when networking.service restarts",
        hook=IFUPDOWN_HOOK,
    ),
}
BY_SETTING: Final[Mapping[str, Manager]] = {known.setting: manager for manager, known in MANAGERS.items()}
HOOK_PATHS: Final[Mapping[Manager, str]] = {name: known.hook for name, known in MANAGERS.items() if known.hook != ""}


class ManagedLink(Struct, frozen=True):
    """An interface that a network manager has set up.

    Attributes:
        manager: Which.
        network_file: systemd-networkd's .network file for it; empty with other managers.
        drop_ins: The drop-ins of that file that systemd-networkd has read; None where it does not say (before 254).
        leased: Whether systemd-networkd has its IPv4 address from DHCP.
        settled: Whether systemd-networkd has done with it.
    """

    manager: Manager
    network_file: str = ""
    drop_ins: tuple[str, ...] | None = None
    leased: bool = False
    settled: bool = True


def parse_managers(said: str, lines: str, names: Mapping[int, str]) -> dict[str, ManagedLink]:
    """Find out who manages which interface.

    Args:
        said: Lines with the name of each manager that runs as a daemon, and `ifupdown NAME=CONFIGURATION` for each
            interface that is up by ifupdown.
        lines: Lines `FILE:KEY=VALUE` of what the daemons keep in /run, among others. Those of a daemon that has ended
            may still be there.
        names: The interfaces' names by their index.

    Returns:
        The managed interfaces by name.
    """
    running = said.splitlines()
    keys: dict[tuple[str, str], dict[str, str]] = {}
    for found in _STATE_LINE.finditer(lines):
        name = names.get(int(found["index"]))
        if name is not None:
            keys.setdefault((found["daemon"], name), {})[found["key"]] = found["value"]
    managed: dict[str, ManagedLink] = {}
    # The strongest last: NetworkManager also lists what others have set up.
    if "NetworkManager" in running:
        managed |= {name: ManagedLink("NetworkManager") for _, name in _of(keys, "NetworkManager/devices", "managed")}
    managed |= {name: ManagedLink("ifupdown") for name in _up_by_ifupdown(running)}
    if "systemd-networkd" in running:
        managed |= {name: _of_networkd(own) for own, name in _of(keys, "systemd/netif/links", "ADMIN_STATE")}
    return managed


def _of(
    keys: Mapping[tuple[str, str], Mapping[str, str]], daemon: str, needed: str
) -> Iterator[tuple[Mapping[str, str], str]]:
    no = "unmanaged"
    return ((own, name) for (of, name), own in keys.items() if of == daemon and own.get(needed, no) != no)


def _up_by_ifupdown(said: list[str]) -> Iterator[str]:
    for line in said:
        name, equals, _ = line.removeprefix(_IFUPDOWN).partition("=")
        if line.startswith(_IFUPDOWN) and equals and name != "lo":
            yield name


def _of_networkd(keys: Mapping[str, str]) -> ManagedLink:
    drop_ins = keys.get("NETWORK_FILE_DROPINS")
    return ManagedLink(
        "systemd-networkd",
        keys.get("NETWORK_FILE", ""),
        None if drop_ins is None else tuple(path for path in drop_ins.strip('"').split(":") if path != ""),
        "DHCP_LEASE" in keys,
        keys.get("ADMIN_STATE") == "configured",
    )
