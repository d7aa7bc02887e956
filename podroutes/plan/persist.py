"""Network managers and our routes: what takes them away, and `persist:`, which has the manager see to them.

Whoever gives an interface its addresses takes them away again now and then, and the kernel drops every route that used
them. systemd-networkd puts them back itself, with `[Route]` sections of ours in a drop-in beside its .network file;
others run a hook of ours (docs/decisions/0017-network-managers.md has what was measured).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from podroutes.addresses import contains
from podroutes.host.changes import Change, HostPlan, NetworkdFile
from podroutes.host.managed_files import DROP_IN_NAME, MARKER, is_drop_in
from podroutes.host.network_managers import BY_SETTING, MANAGERS, ManagedLink, Manager
from podroutes.host.routes import Route
from podroutes.host.state import HostState, Link
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes
from podroutes.plan.hooks import plan_hooks
from podroutes.plan.managed_files import OURS, is_up_to_date

_LAYER: Final = "persist"
_DIRECTORY: Final = "/etc/systemd/network"
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9@:._+-]+\.network")
_INSTEAD: Final = "write persist: unit in the inventory"


class RemovingManager(Struct, frozen=True):
    """A network manager that will take our routes away.

    Attributes:
        unit: Its unit.
        message: When it does so, and what helps; one line for a person.
    """

    unit: str
    message: str


def removing_managers(
    plan: NetworkPlan, node: Node, state: HostState, desired: DesiredRoutes
) -> Iterator[RemovingManager]:
    """Find the managers of the devices of a host's routes that will take these away, and are not set to keep them.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        desired: The routes that it should have.
    """
    if node.persist != "unit":
        return  # it is set to, or the host's plan says why not
    devices: dict[Manager, list[str]] = {}
    for device in _by_device(desired):
        managed = state.managers.get(device)
        if managed is not None:
            devices.setdefault(managed.manager, []).append(device)
    for manager, names in devices.items():
        both = " and ".join(names)
        about = MANAGERS[manager]
        unit = "" if about.hook == "" or node.routes_service else " and routes_service: true"
        yield RemovingManager(
            about.unit,
            f"{manager} sets up {both}, which the pod routes use: they go with its addresses, "
            f"{about.takes_away.format(both)}; write persist: {about.setting}{unit} in the inventory, "
            f"and {about.keeps}",
        )


def plan_persist(plan: NetworkPlan, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
    """Plan what a host's network manager is to know of the routes, or to do for them.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        desired: The routes that it should have.
    """
    if desired.problems:
        return HostPlan()  # the routes' own plan reports them
    files: dict[str, tuple[str, str]] = {}
    by_device = _by_device(desired)
    manager = BY_SETTING.get(node.persist) if by_device else None
    if manager is not None:
        problems = [
            found for device, routes in by_device.items() if (found := _problem(manager, device, routes, state))
        ]
        if problems:
            return HostPlan(conflicts=tuple(f"persist: {node.persist}: {problem}" for problem in problems))
    if manager == "systemd-networkd":
        for device, routes in by_device.items():
            files[_drop_in_of(state.managers[device])] = (device, render_drop_in(routes))
    changes = [*_removals(state, files), *plan_hooks(state, manager), *_writes(state, files)]
    notes = tuple(one.message for one in removing_managers(plan, node, state, desired))
    return HostPlan(tuple(changes), notes=notes)


def releases_routes(plan: HostPlan) -> bool:
    """Whether systemd-networkd, which keeps routes of ours, takes them away with what a plan of these changes."""
    steps = [step for change in plan.changes if change.action == "remove" for step in change.steps]
    return any(isinstance(step, NetworkdFile) and step.device != "" for step in steps)


def plan_persist_removal(state: HostState) -> HostPlan:
    """Plan to take back from a host's network manager what this software made it know."""
    return HostPlan((*_removals(state, {}), *plan_hooks(state)))


def render_drop_in(routes: list[Route]) -> str:
    """The drop-in that has systemd-networkd keep routes (systemd.network(5)).

    Without `GatewayOnLink=no` it would make routes of an interface that only has DHCP `onlink` ones.
    """
    lines = [f"# {MARKER}; changes to this file are overwritten.\n"]
    lines += [
        "\n[Route]\n"
        f"Destination={route.destination}\nGateway={route.via}\nGatewayOnLink=no\n"
        f"Protocol={route.protocol}\nMetric={route.metric}\n"
        for route in routes
    ]
    return "".join(lines)


def _by_device(desired: DesiredRoutes) -> dict[str, list[Route]]:
    devices: dict[str, list[Route]] = {}
    for route in desired.routes:
        if route.dev is not None:
            devices.setdefault(route.dev, []).append(route)
    return devices


def _drop_in_of(managed: ManagedLink) -> str:
    return f"{_DIRECTORY}/{managed.network_file.rpartition('/')[2]}.d/{DROP_IN_NAME}"


def _problem(manager: Manager, device: str, routes: list[Route], state: HostState) -> str:
    """Why a network manager can't see to the routes of a device; empty if it can."""
    managed = state.managers.get(device)
    if managed is None or managed.manager != manager:
        who = "no network manager does" if managed is None else f"{managed.manager} does"
        return f"{manager} does not set up {device}, {who}; {_INSTEAD}"
    if manager != "systemd-networkd":
        return ""
    file = managed.network_file
    if _FILE_NAME.fullmatch(file.rpartition("/")[2]) is None:
        return f"{device} has no .network file whose name can be used ({file!r}); {_INSTEAD}"
    others = [name for name, other in state.managers.items() if other.network_file == file and name != device]
    if others:
        return (
            f"{file} is that of {device} and of {', '.join(sorted(others))}, where the routes can't be: "
            f"give {device} a file of its own, or {_INSTEAD}"
        )
    return _problem_of_old(device, routes, managed, state) if managed.drop_ins is None else ""


def _problem_of_old(device: str, routes: list[Route], managed: ManagedLink, state: HostState) -> str:
    """The same of a systemd-networkd before 254.

    That of 252 sets routes before the lease is there again once the link was down, and gives the interface up then.
    """
    if not managed.settled:
        return f"systemd-networkd has not done with {device}: look at networkctl status {device}"
    if _is_dynamic(managed, state.links[device], routes):
        return (
            f"{device} has its address from DHCP or router advertisements, and the systemd-networkd "
            f"of this host could lose it for good with routes of ours: it takes systemd 254 or newer; {_INSTEAD}"
        )
    return ""


def _is_dynamic(managed: ManagedLink, link: Link, routes: list[Route]) -> bool:
    """Whether an address that routes need is not there at all times."""
    # A lease may be for ever, which no address shows.
    if managed.leased and any(route.destination.version == 4 for route in routes):
        return True
    needed = [route.via for route in routes if route.via is not None]
    return any(own.dynamic and any(contains(own.network, via) for via in needed) for own in link.addresses)


def _writes(state: HostState, files: Mapping[str, tuple[str, str]]) -> Iterator[Change]:
    for path, (device, content) in files.items():
        file = state.files.get(path)
        read = state.managers[device].drop_ins
        if file is None:
            reason = "missing"
        elif not is_up_to_date(file, 0o644, content):
            reason = "it differs"
        elif read is not None and path not in read:
            reason = "systemd-networkd has not read it"
        else:
            continue
        before = "" if file is None else file.content
        step = NetworkdFile(path, content, device)
        yield Change(_LAYER, "write", path, before, content, reason, (step,), "manager-lacks-routes")


def _removals(state: HostState, expected: Mapping[str, object]) -> Iterator[Change]:
    """Drop-ins of ours that are not expected, or that only systemd-networkd still knows."""
    users = {_drop_in_of(managed): name for name, managed in state.managers.items() if managed.network_file != ""}
    known = {path for managed in state.managers.values() for path in managed.drop_ins or () if is_drop_in(path)}
    there = {path for path, file in state.files.items() if is_drop_in(path) and file.ours}
    for path in sorted((there | (known - state.files.keys())) - expected.keys()):
        file = state.files.get(path)
        before = "" if file is None else file.content
        step = NetworkdFile(path, "", users.get(path, ""))
        yield Change(_LAYER, "remove", path, before, "", OURS, (step,), "manager-lacks-routes")
