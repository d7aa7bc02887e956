"""Parser of what systemd says of `routes.service`."""

from typing import Final

from podroutes.errors import FactsError
from podroutes.host.loaded_unit import COMPARED, UNSET
from podroutes.host.managed_files import UNIT_NAME
from podroutes.host.state import UnitState

# Every systemd shows a line of these, of every unit.
_ALWAYS_SHOWN: Final = ("ActiveState", "DropInPaths", "FragmentPath", "LoadState", "UnitFileState")
# What is asked of systemd about the unit.
PROPERTIES: Final = (*_ALWAYS_SHOWN, *COMPARED, *UNSET)
_LOADED: Final = frozenset({"FragmentPath", *COMPARED, *UNSET})
_LOAD_STATES: Final = frozenset({"loaded", "not-found", "bad-setting", "error", "masked", "stub", "merged"})
_ACTIVE_STATES: Final = frozenset(
    {"active", "inactive", "failed", "activating", "deactivating", "reloading", "maintenance", "refreshing"}
)


def parse_unit(text: str, *, linked: bool, overridden: frozenset[str] = frozenset()) -> UnitState:
    """Parse what `systemctl show` prints for the unit: lines `Property=value`.

    Args:
        text: The lines.
        linked: Whether the links on disk enable it. `show` gives what systemd has read, which may be long ago.
        overridden: Settings that its drop-ins have.

    Raises:
        FactsError: What every systemd says of every unit is not there.
    """
    values: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values[name] = (*values.get(name, ()), value)
    if missing := [name for name in _ALWAYS_SHOWN if name not in values]:
        message = f"`systemctl show` printed a unit without its {missing[0]}; does this host run systemd?"
        raise FactsError(message)
    load, active = values["LoadState"][-1], values["ActiveState"][-1]
    if load not in _LOAD_STATES or active not in _ACTIVE_STATES:
        message = f"`systemctl show` printed a unit that is {load!r} and {active!r}, which are no states of one"
        raise FactsError(message)
    enabled = values["UnitFileState"][-1]
    if linked and not enabled.startswith("masked"):
        enabled = "enabled"
    elif not linked and enabled == "enabled":
        enabled = "disabled"
    return UnitState(
        load=load,
        active=active,
        enabled=enabled,
        # Not those for all services, as some distributions have them.
        drop_ins=" ".join(path for path in values["DropInPaths"][-1].split() if f"/{UNIT_NAME}.d/" in path),
        properties={name: shown for name, shown in values.items() if name in _LOADED} if load == "loaded" else {},
        overridden=overridden,
    )
