"""The state of one host as it was read, typed: everything that planning looks at."""

from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct

from podroutes.addresses import Family, IPAddress, IPNetwork
from podroutes.host.managed_files import MARKER
from podroutes.host.network_managers import ManagedLink
from podroutes.host.routes import Lookup, Route


class InterfaceAddress(Struct, frozen=True):
    """An address on an interface.

    Attributes:
        ip: The address.
        network: The network that is on its link.
        dynamic: Whether it runs out unless it is renewed: from DHCP or router advertisements.
    """

    ip: IPAddress
    network: IPNetwork
    dynamic: bool = False


class Link(Struct, frozen=True):
    """A network interface.

    Attributes:
        name: Its name.
        up: Whether it is set up (`UP`); a link that is down holds no routes.
        carrier: Whether it has carrier (`LOWER_UP`).
        mtu: Maximum transmission unit in bytes.
        addresses: Its addresses.
        index: The kernel's number for it; 0 where that does not matter.
    """

    name: str
    up: bool
    carrier: bool
    mtu: int
    addresses: tuple[InterfaceAddress, ...]
    index: int = 0


class FileState(Struct, frozen=True):
    """A file on the host.

    Attributes:
        content: Its text, with U+FFFD for what is no UTF-8; empty for what is no regular file.
        mode: Permission bits, 0o644 say.
        uid: Owner.
        gid: Group.
        regular: Whether it is a regular file rather than a link, a directory or a device.
    """

    content: str
    mode: int
    uid: int
    gid: int
    regular: bool = True

    @property
    def ours(self) -> bool:
        """Whether this software wrote it."""
        return self.regular and MARKER in self.content


class UnitState(Struct, frozen=True):
    """A systemd unit, as `systemctl show` gives it.

    Attributes:
        load: LoadState: loaded, not-found, masked, bad-setting, error.
        active: ActiveState: active, inactive, failed, activating, …
        enabled: As `systemctl is-enabled` says: enabled, disabled, masked, static; empty where there is no file.
        drop_ins: Paths of its own drop-ins, separated by spaces.
        properties: What systemd has loaded of it, as `podroutes.host.loaded_unit` compares it; some have several lines.
        overridden: Names of the settings that drop-ins have, its own or those for all services.
    """

    load: str
    active: str
    enabled: str
    drop_ins: str = ""
    properties: Mapping[str, tuple[str, ...]] = {}
    overridden: frozenset[str] = frozenset()


class SysctlSetting(Struct, frozen=True):
    """A line of a sysctl.d file, in the order in which systemd-sysctl applies them at boot.

    Attributes:
        path: The file.
        key: The kernel parameter, in `net.ipv4.ip_forward`'s form.
        value: What it is set to.
        line: The line as it stands there.
    """

    path: str
    key: str
    value: str
    line: str


class HostState(Struct, frozen=True, dict=True):
    """Everything that was read from a host in one remote command.

    Attributes:
        host_name: Its own host name.
        links: Interfaces by name.
        routes: Routes of the main table by family.
        lookups: What the kernel does with a packet to each address that was asked for.
        route_text: What `ip route` prints, for people.
        sysctls: Values of kernel parameters by key, in `net.ipv4.ip_forward`'s form.
        boot_sysctls: What sysctl.d files set at boot, in order; the last of a key wins.
        files: The files of ours that are there, by path.
        unit: `routes.service`.
        leftovers: Paths of what interrupted writes of ours have left.
        managers: Who manages which interface, by its name; those that nobody manages are not in it.
    """

    host_name: str
    links: Mapping[str, Link]
    routes: Mapping[Family, tuple[Route, ...]]
    lookups: Mapping[IPAddress, Lookup]
    route_text: str
    sysctls: Mapping[str, str]
    boot_sysctls: tuple[SysctlSetting, ...]
    files: Mapping[str, FileState]
    unit: UnitState
    leftovers: tuple[str, ...] = ()
    managers: Mapping[str, ManagedLink] = {}

    def link_with(self, ip: IPAddress) -> Link | None:
        """The interface that has an address."""
        return self._owners.get(ip)

    @cached_property
    def _owners(self) -> dict[IPAddress, Link]:
        """Whose each address is; of the first, if several have it."""
        return {own.ip: link for link in reversed(list(self.links.values())) for own in link.addresses}
