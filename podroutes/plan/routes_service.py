"""`routes.service`: the unit, its script and its data file, so that the routes are there after a reboot."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct

from podroutes.addresses import IPNetwork
from podroutes.host.changes import Change, HostPlan, RemoveFile, Step, Systemctl, WriteFile
from podroutes.host.loaded_unit import loaded_otherwise
from podroutes.host.routes import Route
from podroutes.host.state import (
    DATA_PATH,
    MARKER,
    SCRIPT_PATH,
    SCRIPT_STATE_PATHS,
    UNIT_NAME,
    UNIT_PATH,
    HostState,
)
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.managed_files import OURS, plan_file, plan_file_removal
from podroutes.plan.routes import DesiredRoutes, desired_routes

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
    lines += map(_data_line, routes)
    return "\n".join(lines) + "\n"


# Most machines of a cluster have the same routes.
@lru_cache(1 << 14)
def _data_line(route: Route) -> str:
    return f"route {route.destination} via {route.via} dev {route.dev}"


def plan_routes_service(
    plan: NetworkPlan, node: Node, state: HostState, files: ServiceFiles, wanted: DesiredRoutes | None = None
) -> HostPlan:
    """Plan the unit of one host: its files, whether it is enabled, whether it is active.

    Args:
        plan: The cluster's network.
        node: The host.
        state: What was read.
        files: Those that are the same on every host.
        wanted: The routes that it should have, where they are computed already.
    """
    if not node.routes_service:
        return plan_routes_service_removal(state)
    if wanted is None:
        wanted = desired_routes(plan, node, state)
    if wanted.problems:
        return HostPlan()  # the routes' own plan reports them
    unit = state.unit
    if unit.enabled == "masked-runtime":
        return HostPlan(conflicts=(f"{UNIT_NAME} is masked in /run: systemctl unmask --runtime {UNIT_NAME}",))
    written = [
        change
        for file in (
            WriteFile(DATA_PATH, 0o644, render_data(plan, wanted.routes, node.pod_cidrs)),
            WriteFile(SCRIPT_PATH, 0o755, files.script),
            WriteFile(UNIT_PATH, 0o644, files.unit),
        )
        for change in plan_file(_LAYER, state, file, _drift_of(file.path, state))
    ]
    changes = [*written, *_unit_changes(state, files.unit, {change.subject for change in written})]
    notes: tuple[str, ...] = ()
    if unit.drop_ins:
        notes = (f"{UNIT_NAME} has drop-ins that are not ours: {unit.drop_ins}",)
    return HostPlan(tuple(changes), notes=notes)


def _drift_of(path: str, state: HostState) -> str:
    """What a drift check calls it where a file is not as it should be."""
    if path not in state.files:
        return "unit-missing"
    return "script-edited" if path == SCRIPT_PATH else "unit-edited"


def _unit_changes(state: HostState, text: str, written: set[str]) -> Iterator[Change]:
    """Reload systemd once if it has loaded another file, then enable the unit, then have it run what is new."""
    unit = state.unit
    steps: list[Step] = []
    # What systemd knows nothing of it reads when it is first asked for; what ran, it knows although its file is gone.
    loaded = unit.load != "not-found" or unit.active not in ("inactive", "")
    # The unit waits for its next attempt: systemd 247 would have a start wait with it; a restart does not, and there is
    # nothing of the unit's that it could take away.
    waits = unit.active == "activating"
    run = Systemctl(("restart" if waits else "reload-or-restart", UNIT_NAME))
    otherwise = loaded_otherwise(text, unit)
    enable: tuple[Step, ...] = ()
    if unit.enabled != "enabled":
        if not loaded:
            # One call for both.
            run = Systemctl(("enable", "--now", "--no-reload", "--quiet", UNIT_NAME))
        else:
            # Enabling reloads systemd, too: without it `systemctl status` would go on saying what was so before.
            enable = (Systemctl(("enable", "--quiet", UNIT_NAME)),)
        yield Change(
            _LAYER,
            "enable",
            UNIT_NAME,
            unit.enabled or "absent",
            "enabled",
            "it has to start at boot",
            enable,
            "unit-disabled",
        )
    elif loaded and (UNIT_PATH in written or otherwise):
        steps.append(Systemctl(("daemon-reload",)))
    if unit.active != "active":
        yield Change(
            _LAYER, "start", UNIT_NAME, unit.active, "active", "it is not active", (*steps, run), "unit-failed"
        )
    elif written or steps:
        # Reload keeps the routes while it changes them; a restart would take them all away for a moment.
        # Alone, it puts right what systemd has loaded and is not what the file says.
        drift = "" if written else "unit-edited"
        finding = "" if written else f"systemd has loaded something else than its file says: {', '.join(otherwise)}"
        reason = "its files changed" if written else "systemd has to read its file again"
        yield Change(_LAYER, "reload", UNIT_NAME, "active", "active", reason, (*steps, run), drift, finding)


def plan_routes_service_removal(state: HostState) -> HostPlan:
    """Plan to remove the unit and its files where they are ours, and to put back what they had replaced."""
    changes: list[Change] = []
    notes: list[str] = []
    own = [path for path in (UNIT_PATH, SCRIPT_PATH, DATA_PATH) if path in state.files and state.files[path].ours]
    unit = state.unit
    # Of a unit without a file, there can be links, what it has started and that it failed; the name is ours.
    is_gone = UNIT_PATH not in state.files and unit.load == "not-found"
    if (UNIT_PATH in own or is_gone) and (unit.enabled == "enabled" or unit.active not in ("inactive", "")):
        # Without a file, a unit that does not run can't be stopped.
        now = () if is_gone and unit.active in ("inactive", "failed", "") else ("--now",)
        off = [Systemctl(("disable", *now, "--quiet", UNIT_NAME))]
        if unit.active == "failed":
            # Else `systemctl --failed` would name it until a reboot; and what fails from here on has failed to stop.
            off.insert(0, Systemctl(("reset-failed", UNIT_NAME)))
        before = f"{unit.enabled or 'absent'}, {unit.active}"
        reason = "its file is gone" if is_gone else OURS
        changes.append(Change(_LAYER, "disable", UNIT_NAME, before, "disabled, inactive", reason, tuple(off)))
    for path in own:
        changes.append(plan_file_removal(_LAYER, state, path))
        if path == UNIT_PATH and changes[-1].action == "restore":
            notes.append(
                f"the {UNIT_NAME} that was there before is back, and disabled: systemctl enable --now {UNIT_NAME}"
            )
    if UNIT_PATH in own:
        last = changes[-1]
        forget: list[Step] = [Systemctl(("daemon-reload",)), *(RemoveFile(path) for path in SCRIPT_STATE_PATHS)]
        changes[-1] = Change(
            last.layer, last.action, last.subject, last.before, last.after, last.reason, (*last.steps, *forget)
        )
    return HostPlan(tuple(changes), notes=tuple(notes))
