"""The connection plugins that are installed or registered with Nornir, for whoever checks an inventory.

Another package's plugin joins as ours do: by an entry point of `nornir.plugins.connections`, and, to have its options
checked, one of the same name in `podroutes.connection_extras` that is a `msgspec.Struct` of what may stand below
`connection_options.NAME.extras`.
"""

from collections.abc import Set
from functools import cached_property
from importlib.metadata import entry_points
from typing import cast

from msgspec import Struct
from nornir.core.plugins.connections import ConnectionPluginRegister


class InstalledPlugins:
    """`ConnectionPlugins` of the installed plugins; what a plugin needs is imported when it is named."""

    def names(self) -> Set[str]:
        """All of them."""
        return self._names

    @cached_property
    def _names(self) -> Set[str]:
        # Reads what every installed package says of itself.
        return entry_points(group="nornir.plugins.connections").names | ConnectionPluginRegister.available.keys()

    def extras(self, name: str) -> type[Struct] | None:
        """The type of a plugin's extras; None where nobody says it."""
        for entry_point in entry_points(group="podroutes.connection_extras", name=name):
            return cast("type[Struct]", entry_point.load())
        return None
