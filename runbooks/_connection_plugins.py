"""The connection plugins that are installed, for whoever checks an inventory."""

from collections.abc import Iterable, Set
from functools import cached_property
from importlib.metadata import entry_points
from typing import Final

from msgspec import Struct

_OURS: Final = frozenset({"linux_exec", "lxd", "openstack"})


class InstalledPlugins:
    """`ConnectionPlugins` of the installed plugins; what a plugin needs is imported when it is named."""

    def names(self) -> Iterable[str]:
        """All that have an entry point."""
        return self._names

    @cached_property
    def _names(self) -> Set[str]:
        # Reads what every installed package says of itself.
        return entry_points(group="nornir.plugins.connections").names | _OURS

    def extras(self, name: str) -> type[Struct] | None:
        """The type of our own plugins' extras."""
        if name == "linux_exec":
            from podroutes.plugins.connections.ssh.settings import SshExtras

            return SshExtras
        if name == "lxd":
            from podroutes.plugins.lxd.settings import LxdSettings

            return LxdSettings
        if name == "openstack":
            from podroutes.plugins.connections.openstack import OpenStackExtras

            return OpenStackExtras
        return None
