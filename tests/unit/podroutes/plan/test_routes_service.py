"""The unit, its script and its data: what a host has in, the exact changes out."""

import pytest
from msgspec.structs import replace

from podroutes.host.changes import Change, HostPlan, KeepCopy, PutBack, RemoveFile, Systemctl, WriteFile
from podroutes.host.managed_files import (
    DATA_PATH,
    REPLACED_SCRIPT_PATH,
    REPLACED_UNIT_PATH,
    SCRIPT_PATH,
    SCRIPT_STATE_PATHS,
    UNIT_NAME,
    UNIT_PATH,
)
from podroutes.host.state import FileState, HostState, UnitState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.desired_routes import desired_routes
from podroutes.plan.routes_service import (
    ServiceFiles,
    plan_routes_service,
    plan_routes_service_removal,
    render_data,
)
from tests.unit.podroutes.builders import IPV4, dual_stack_cluster, ipv4_cluster, link, plan_of, state, worker

FILES = ServiceFiles(script="#!/bin/bash\n# Managed by pod-routes\n", unit="# Managed by pod-routes\n[Unit]\n")
DATA = """\
# Managed by pod-routes; changes to this file are overwritten.
cluster 10.200.0.0/16
pods 10.200.0.0/24
route 10.200.1.0/24 via 10.240.0.21 dev eth0
route 10.200.2.0/24 via 10.240.0.22 dev eth0
"""
ETH0 = link("eth0", "10.240.0.20/24")
INSTALLED = {
    DATA_PATH: FileState(DATA, 0o644, 0, 0),
    SCRIPT_PATH: FileState(FILES.script, 0o755, 0, 0),
    UNIT_PATH: FileState(FILES.unit, 0o644, 0, 0),
}
RUNNING = UnitState("loaded", "active", "enabled")
OTHERWISE = replace(RUNNING, properties={"User": ("nobody",)})
ABSENT = UnitState("not-found", "inactive", "")
SEED_UNIT = FileState("[Unit]\nDescription=Add static routes\n", 0o664, 1000, 1000)

WRITE_DATA = f"write {DATA_PATH}: "
WRITE_SCRIPT = f"write {SCRIPT_PATH}: "
WRITE_UNIT = f"write {UNIT_PATH}: "
START = f"start {UNIT_NAME}: it is not active"
RELOAD = f"reload {UNIT_NAME}: its files changed"
ENABLE = f"enable {UNIT_NAME}: it has to start at boot"


def summary(host_plan: HostPlan) -> list[str]:
    return [f"{change.action} {change.subject}: {change.reason}" for change in host_plan.changes]


def calls(changes: tuple[Change, ...]) -> list[str]:
    steps = [step for change in changes for step in change.steps if isinstance(step, Systemctl)]
    return [" ".join(step.arguments) for step in steps]


def planned_service(plan: NetworkPlan, found: HostState) -> HostPlan:
    node = plan.nodes["worker-0"]
    return plan_routes_service(plan, node, found, FILES, desired_routes(plan, node, found))


def plan_on_worker_0(files: dict[str, FileState], unit: UnitState | None) -> HostPlan:
    plan = ipv4_cluster()
    return planned_service(plan, state(ETH0, files=files, unit=unit))


def changed(path: str, **how: object) -> dict[str, FileState]:
    return INSTALLED | {path: replace(INSTALLED[path], **how)}


@pytest.mark.parametrize(
    ("files", "unit", "expected", "systemctl"),
    [
        # up to date
        (INSTALLED, RUNNING, [], []),
        # nothing there yet
        (
            {},
            ABSENT,
            [f"{WRITE_DATA}missing", f"{WRITE_SCRIPT}missing", f"{WRITE_UNIT}missing", ENABLE, START],
            ["enable --now --no-reload --quiet routes.service"],
        ),
        (
            {},
            None,
            [f"{WRITE_DATA}missing", f"{WRITE_SCRIPT}missing", f"{WRITE_UNIT}missing", ENABLE, START],
            ["enable --now --no-reload --quiet routes.service"],
        ),
        # one file is missing or altered: systemd reads again only what it has read
        (
            {path: file for path, file in INSTALLED.items() if path != DATA_PATH},
            RUNNING,
            [f"{WRITE_DATA}missing", RELOAD],
            ["reload-or-restart routes.service"],
        ),
        (
            changed(DATA_PATH, content=DATA.replace("10.240.0.21", "10.240.0.99")),
            RUNNING,
            [f"{WRITE_DATA}its content differs", RELOAD],
            ["reload-or-restart routes.service"],
        ),
        (
            changed(SCRIPT_PATH, content=FILES.script + "exit 0\n"),
            RUNNING,
            [f"{WRITE_SCRIPT}its content differs", RELOAD],
            ["reload-or-restart routes.service"],
        ),
        (
            changed(SCRIPT_PATH, mode=0o644),
            RUNNING,
            [f"{WRITE_SCRIPT}its mode or owner differs: 0644 0:0", RELOAD],
            ["reload-or-restart routes.service"],
        ),
        (
            changed(DATA_PATH, uid=1000, gid=1001),
            RUNNING,
            [f"{WRITE_DATA}its mode or owner differs: 0644 1000:1001", RELOAD],
            ["reload-or-restart routes.service"],
        ),
        (
            changed(UNIT_PATH, content=FILES.unit + "X=1\n"),
            RUNNING,
            [f"{WRITE_UNIT}its content differs", RELOAD],
            ["daemon-reload", "reload-or-restart routes.service"],
        ),
        # another's file in the data's place is no unit's or script's: nothing to keep
        (
            changed(DATA_PATH, content="theirs\n"),
            RUNNING,
            [f"{WRITE_DATA}somebody else's file is there", RELOAD],
            ["reload-or-restart routes.service"],
        ),
        # taken over
        (
            INSTALLED | {UNIT_PATH: SEED_UNIT},
            RUNNING,
            [f"{WRITE_UNIT}taken over; what was there is kept as {REPLACED_UNIT_PATH}", RELOAD],
            ["daemon-reload", "reload-or-restart routes.service"],
        ),
        (
            INSTALLED | {SCRIPT_PATH: FileState("#!/bin/sh\n", 0o755, 0, 0)},
            RUNNING,
            [f"{WRITE_SCRIPT}taken over; what was there is kept as {REPLACED_SCRIPT_PATH}", RELOAD],
            ["reload-or-restart routes.service"],
        ),
        # masked: a link to /dev/null in the unit's place
        (
            INSTALLED | {UNIT_PATH: FileState("", 0o777, 0, 0, regular=False)},
            UnitState("masked", "inactive", "masked"),
            [f"{WRITE_UNIT}taken over; what was there is kept as {REPLACED_UNIT_PATH}", ENABLE, START],
            ["enable --quiet routes.service", "reload-or-restart routes.service"],
        ),
        # the unit's state
        (
            INSTALLED,
            replace(RUNNING, enabled="disabled"),
            [ENABLE],
            ["enable --quiet routes.service"],
        ),
        # its file is gone, and systemd, which has read that, still knows what it has started
        (
            {path: file for path, file in INSTALLED.items() if path != UNIT_PATH},
            replace(ABSENT, active="active", enabled="enabled"),
            [f"{WRITE_UNIT}missing", RELOAD],
            ["daemon-reload", "reload-or-restart routes.service"],
        ),
        (
            {path: file for path, file in INSTALLED.items() if path != UNIT_PATH},
            replace(ABSENT, active="failed"),
            [f"{WRITE_UNIT}missing", ENABLE, START],
            ["enable --quiet routes.service", "reload-or-restart routes.service"],
        ),
        (INSTALLED, replace(RUNNING, active="inactive"), [START], ["reload-or-restart routes.service"]),
        (
            INSTALLED,
            replace(RUNNING, active="failed"),
            [START],
            ["reload-or-restart routes.service"],
        ),
        (INSTALLED, replace(RUNNING, active="activating"), [START], ["restart routes.service"]),
        (
            INSTALLED,
            OTHERWISE,
            [f"reload {UNIT_NAME}: systemd has to read its file again"],
            ["daemon-reload", "reload-or-restart routes.service"],
        ),
        (
            INSTALLED,
            replace(OTHERWISE, active="inactive"),
            [START],
            ["daemon-reload", "reload-or-restart routes.service"],
        ),
    ],
)
def test_what_a_host_needs(
    files: dict[str, FileState], unit: UnitState | None, expected: list[str], systemctl: list[str]
) -> None:
    host_plan = plan_on_worker_0(files, unit)
    assert summary(host_plan) == expected
    assert calls(host_plan.changes) == systemctl
    assert (host_plan.notes, host_plan.conflicts, host_plan.unresolved) == ((), (), ())


def test_what_is_written_and_what_is_kept_first() -> None:
    files = INSTALLED | {UNIT_PATH: SEED_UNIT, SCRIPT_PATH: FileState("#!/bin/sh\n", 0o755, 0, 0), DATA_PATH: SEED_UNIT}
    changes = plan_on_worker_0(files, RUNNING).changes
    assert [change.steps for change in changes[:3]] == [
        (WriteFile(DATA_PATH, 0o644, DATA),),
        (KeepCopy(SCRIPT_PATH, REPLACED_SCRIPT_PATH), WriteFile(SCRIPT_PATH, 0o755, FILES.script)),
        (KeepCopy(UNIT_PATH, REPLACED_UNIT_PATH), WriteFile(UNIT_PATH, 0o644, FILES.unit)),
    ]
    assert [(change.before, change.after) for change in changes[:3]] == [
        (SEED_UNIT.content, DATA),
        ("#!/bin/sh\n", FILES.script),
        (SEED_UNIT.content, FILES.unit),
    ]


def test_a_unit_that_is_masked_until_the_next_boot_is_somebody_elses_wish() -> None:
    host_plan = plan_on_worker_0({}, UnitState("masked", "inactive", "masked-runtime"))
    assert host_plan.conflicts == ("routes.service is masked in /run: systemctl unmask --runtime routes.service",)
    assert host_plan.changes == ()


def test_drop_ins_are_said() -> None:
    drop_in = "/etc/systemd/system/routes.service.d/site.conf"
    host_plan = plan_on_worker_0(INSTALLED, replace(RUNNING, drop_ins=drop_in))
    assert host_plan.notes == (f"routes.service has drop-ins that are not ours: {drop_in}",)
    assert host_plan.changes == ()


def test_a_host_that_can_not_have_its_routes_gets_no_unit_either() -> None:
    plan = ipv4_cluster()
    assert planned_service(plan, state(link("eth0"))) == HostPlan()


def test_the_data_of_two_families() -> None:
    plan = dual_stack_cluster()
    routes = desired_routes(
        plan, plan.nodes["worker-0"], state(link("eth0", "10.240.0.20/24", "fd00:240::20/64"))
    ).routes
    assert render_data(plan, routes) == (
        "# Managed by pod-routes; changes to this file are overwritten.\n"
        "cluster 10.200.0.0/16\n"
        "cluster fd00:200::/48\n"
        "route 10.200.1.0/24 via 10.240.0.21 dev eth0\n"
        "route 10.200.2.0/24 via 10.240.0.22 dev eth0\n"
        "route fd00:200:0:1::/64 via fd00:240::21 dev eth0\n"
        "route fd00:200:0:2::/64 via fd00:240::22 dev eth0\n"
    )


KEPT = {REPLACED_UNIT_PATH: SEED_UNIT, REPLACED_SCRIPT_PATH: FileState("#!/bin/sh\n", 0o755, 0, 0)}
OURS = "this software put it there"
FORGET = ("daemon-reload", *(f"rm {path}" for path in SCRIPT_STATE_PATHS))
BACK = "the routes.service that was there before is restored, and disabled: systemctl enable --now routes.service"


def steps_of(host_plan: HostPlan) -> list[str]:
    lines = []
    for change in host_plan.changes:
        for step in change.steps:
            match step:
                case Systemctl(arguments):
                    lines.append(" ".join(word for word in arguments if word not in ("--quiet", UNIT_NAME)))
                case RemoveFile(path):
                    lines.append(f"rm {path}")
                case PutBack(copy, path):
                    lines.append(f"mv {copy} {path}")
                case _:
                    raise AssertionError(step)
    return lines


@pytest.mark.parametrize(
    ("files", "unit", "expected", "notes"),
    [
        ({}, ABSENT, [], []),
        # its file is gone, and something of it is not
        ({}, replace(ABSENT, active="failed"), ["reset-failed", "disable"], []),
        ({}, replace(ABSENT, active="active"), ["disable --now"], []),
        ({}, replace(ABSENT, enabled="enabled"), ["disable"], []),
        # somebody else's
        ({UNIT_PATH: SEED_UNIT}, RUNNING, [], []),
        ({}, RUNNING, [], []),
        (
            INSTALLED,
            RUNNING,
            ["disable --now", f"rm {UNIT_PATH}", f"rm {SCRIPT_PATH}", f"rm {DATA_PATH}", *FORGET],
            [],
        ),
        (
            INSTALLED,
            replace(RUNNING, active="failed"),
            ["reset-failed", "disable --now", f"rm {UNIT_PATH}", f"rm {SCRIPT_PATH}", f"rm {DATA_PATH}", *FORGET],
            [],
        ),
        (
            INSTALLED,
            replace(RUNNING, active="inactive", enabled="disabled"),
            [f"rm {UNIT_PATH}", f"rm {SCRIPT_PATH}", f"rm {DATA_PATH}", *FORGET],
            [],
        ),
        (
            INSTALLED | KEPT,
            RUNNING,
            [
                "disable --now",
                f"mv {REPLACED_UNIT_PATH} {UNIT_PATH}",
                f"mv {REPLACED_SCRIPT_PATH} {SCRIPT_PATH}",
                f"rm {DATA_PATH}",
                *FORGET,
            ],
            [BACK],
        ),
        # the script alone was taken over
        (
            INSTALLED | {REPLACED_SCRIPT_PATH: KEPT[REPLACED_SCRIPT_PATH]},
            RUNNING,
            [
                "disable --now",
                f"rm {UNIT_PATH}",
                f"mv {REPLACED_SCRIPT_PATH} {SCRIPT_PATH}",
                f"rm {DATA_PATH}",
                *FORGET,
            ],
            [],
        ),
        # the unit is somebody else's by now; what is ours goes
        (
            INSTALLED | {UNIT_PATH: SEED_UNIT},
            RUNNING,
            [f"rm {SCRIPT_PATH}", f"rm {DATA_PATH}"],
            [],
        ),
    ],
)
def test_what_is_removed(files: dict[str, FileState], unit: UnitState, expected: list[str], notes: list[str]) -> None:
    host_state = state(files=files, unit=unit)
    host_plan = plan_routes_service_removal(host_state)
    assert steps_of(host_plan) == expected
    assert list(host_plan.notes) == notes
    # a host that is to have no unit is one from which it is removed
    plan = plan_of(IPV4, worker(0, routes_service=False))
    assert planned_service(plan, host_state) == host_plan
