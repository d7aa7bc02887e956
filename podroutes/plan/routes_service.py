"""`routes.service`: the unit, its script and its data file, so that the routes are there after a reboot."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from podroutes.addresses import IPNetwork
from podroutes.host.changes import Change, HostPlan, RemoveFile, Step, Systemctl
from podroutes.host.loaded_unit import differing_settings
from podroutes.host.managed_files import DATA_PATH, MARKER, SCRIPT_PATH, SCRIPT_STATE_PATHS, UNIT_NAME, UNIT_PATH
from podroutes.host.routes import Route
from podroutes.host.state import HostState, UnitState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes
from podroutes.plan.managed_files import OURS, plan_file, plan_file_removal

_LAYER: Final = "routes_service"


class ServiceFiles(Struct, frozen=True):
    """The files that are the same on every host.

    Attributes:
        script: Text of `basic-kubernetes-routes.sh`.
        unit: Text of `routes.service`.
    """

    script: str
    unit: str


def render_data(plan: NetworkPlan, routes: tuple[Route, ...], pod_cidrs: tuple[IPNetwork, ...] = ()) -> str:
    """The script's data file: the ranges in which routes are ours, this host's own pods and its routes."""
    lines = [f"# {MARKER}; changes to this file are overwritten."]
    lines += [f"cluster {cidr}" for cidr in plan.cluster_cidrs]
    lines += [f"pods {cidr}" for cidr in pod_cidrs]
    lines += [f"route {route.destination} via {route.via} dev {route.dev}" for route in routes]
    return "\n".join(lines) + "\n"


def plan_routes_service(
    plan: NetworkPlan, node: Node, state: HostState, files: ServiceFiles, desired: DesiredRoutes
) -> HostPlan:
    """Plan the unit of one host: its files, whether it is enabled, whether it is active.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        files: Those that are the same on every host.
        desired: The routes that it should have.
    """
    if not node.routes_service:
        return plan_routes_service_removal(state)
    if desired.problems:
        return HostPlan()  # the routes' own plan reports them
    if state.unit.enabled == "masked-runtime":
        return HostPlan(conflicts=(f"{UNIT_NAME} is masked in /run: systemctl unmask --runtime {UNIT_NAME}",))
    written: list[Change] = []
    for path, content in (
        (DATA_PATH, render_data(plan, desired.routes, node.pod_cidrs)),
        (SCRIPT_PATH, files.script),
        (UNIT_PATH, files.unit),
    ):
        written += plan_file(state, path, content)
    changes = (*written, *_unit_changes(state.unit, files.unit, {change.subject for change in written}))
    drop_ins = state.unit.drop_ins
    return HostPlan(changes, notes=(f"{UNIT_NAME} has drop-ins that are not ours: {drop_ins}",) if drop_ins else ())


def _unit_changes(unit: UnitState, text: str, written: set[str]) -> Iterator[Change]:
    """Reload systemd once if it has loaded another file, then enable the unit, then have it run what is new."""
    # What systemd does not know, it reads when it is first asked for; a unit that ran, it knows although its file is
    # gone.
    loaded = unit.load != "not-found" or unit.active not in ("inactive", "")
    # The unit waits for its next attempt: systemd 247 would have a start wait with it; a restart does not, and there is
    # nothing of the unit's that it could take away.
    run = Systemctl(("restart" if unit.active == "activating" else "reload-or-restart", UNIT_NAME))
    differing = differing_settings(text, unit)
    reload: tuple[Step, ...] = ()
    if unit.enabled != "enabled":
        enable: tuple[Step, ...] = ()
        if loaded:
            # Enabling reloads systemd, too: without it `systemctl status` would go on showing what was so before.
            enable = (Systemctl(("enable", "--quiet", UNIT_NAME)),)
        else:
            # One call for both.
            run = Systemctl(("enable", "--now", "--no-reload", "--quiet", UNIT_NAME))
        before, why = unit.enabled or "absent", "it has to start at boot"
        yield Change(_LAYER, "enable", UNIT_NAME, before, "enabled", why, enable, "unit-disabled")
    elif loaded and (UNIT_PATH in written or differing):
        reload = (Systemctl(("daemon-reload",)),)
    steps = (*reload, run)
    if unit.active != "active":
        yield Change(_LAYER, "start", UNIT_NAME, unit.active, "active", "it is not active", steps, "unit-failed")
    elif written:
        # Reload keeps the routes while it changes them; a restart would take them all away for a moment.
        yield Change(_LAYER, "reload", UNIT_NAME, "active", "active", "its files changed", steps)
    elif reload:
        finding = f"systemd has loaded something else than its file says: {', '.join(differing)}"
        why = "systemd has to read its file again"
        yield Change(_LAYER, "reload", UNIT_NAME, "active", "active", why, steps, "unit-edited", finding)


def plan_routes_service_removal(state: HostState) -> HostPlan:
    """Plan to remove the unit and its files where they are ours, and to restore what they had replaced."""
    changes: list[Change] = []
    notes: tuple[str, ...] = ()
    own = [path for path in (UNIT_PATH, SCRIPT_PATH, DATA_PATH) if path in state.files and state.files[path].ours]
    unit = state.unit
    # Of a unit without a file, there can be links, what it has started and that it failed; the name is ours.
    is_gone = UNIT_PATH not in state.files and unit.load == "not-found"
    if (UNIT_PATH in own or is_gone) and (unit.enabled == "enabled" or unit.active not in ("inactive", "")):
        # Without a file, a unit that does not run can't be stopped.
        now = () if is_gone and unit.active in ("inactive", "failed", "") else ("--now",)
        steps = [Systemctl(("disable", *now, "--quiet", UNIT_NAME))]
        if unit.active == "failed":
            # Else `systemctl --failed` would name it until a reboot; and what fails from here on has failed to stop.
            steps.insert(0, Systemctl(("reset-failed", UNIT_NAME)))
        before = f"{unit.enabled or 'absent'}, {unit.active}"
        reason = "its file is gone" if is_gone else OURS
        changes.append(Change(_LAYER, "disable", UNIT_NAME, before, "disabled, inactive", reason, tuple(steps)))
    for path in own:
        changes.append(plan_file_removal(state, path))
        if path == UNIT_PATH and changes[-1].action == "restore":
            restored = f"the {UNIT_NAME} that was there before is restored, and disabled"
            notes = (f"{restored}: systemctl enable --now {UNIT_NAME}",)
    if UNIT_PATH in own:
        last = changes[-1]
        cleanup = (Systemctl(("daemon-reload",)), *(RemoveFile(path) for path in SCRIPT_STATE_PATHS))
        changes[-1] = replace(last, steps=(*last.steps, *cleanup))
    return HostPlan(tuple(changes), notes=notes)
