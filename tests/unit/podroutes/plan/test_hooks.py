"""Hooks that have `routes.service` set the routes again: the exact changes for a host's state, and what they run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from podroutes.drift.detection import find_drift
from podroutes.host.changes import Change, KeepCopy, PutBack, RemoveFile, Step, WriteFile
from podroutes.host.managed_files import managed_file_of
from podroutes.host.network_managers import HOOK_PATHS, MANAGERS, ManagedLink, Manager
from podroutes.host.state import FileState, HostState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.hooks import HOOKS
from podroutes.plan.persist import plan_persist_removal
from tasks.persist import Persist
from tasks.provision import Deprovisioning
from tests.unit.podroutes.builders import IPV4, plan_of, worker
from tests.unit.podroutes.healthy import healthy, work_of

SOMEBODYS = FileState("#!/bin/sh\nlogger up\n", 0o700, 0, 0)
CALL = "--no-block try-reload-or-restart routes.service"
BOTH = pytest.mark.parametrize("manager", HOOK_PATHS)


def cluster(manager: Manager | None, workers: int = 3) -> NetworkPlan:
    setting = "unit" if manager is None else MANAGERS[manager].setting
    return plan_of(IPV4, *(worker(index, persist=setting) for index in range(workers)))


def a_host(plan: NetworkPlan, managed: Manager | None, files: dict[str, FileState] | None = None) -> HostState:
    found = healthy(plan, "worker-0")
    managers = {} if managed is None else {"eth0": ManagedLink(managed)}
    return replace(found, managers=managers, files=dict(found.files) | (files or {}))


def ours(manager: Manager) -> FileState:
    return FileState(HOOKS[manager], 0o755, 0, 0)


def steps(changes: tuple[Change, ...]) -> list[Step]:
    return [step for change in changes for step in change.steps]


@BOTH
@pytest.mark.parametrize(
    ("file", "finding"),
    [
        (None, "missing"),
        ({"content": "#!/bin/sh\n# Managed by pod-routes\n"}, "its content differs"),
        ({"mode": 0o644}, "its mode or owner differs: 0644 0:0"),
        ({"uid": 1000}, "its mode or owner differs: 0755 1000:0"),
        ({}, ""),
    ],
)
def test_a_hook_that_is_not_as_it_should_be(manager: Manager, file: dict[str, object] | None, finding: str) -> None:
    path, plan = HOOK_PATHS[manager], cluster(manager)
    node = plan.nodes["worker-0"]
    found = a_host(plan, manager, {} if file is None else {path: replace(ours(manager), **file)})
    planned = Persist(plan).plan_host(node, found)
    assert steps(planned.changes) == ([] if finding == "" else [WriteFile(path, 0o755, HOOKS[manager])])
    assert planned.conflicts == planned.notes == ()
    drifted = [(one.code, one.message) for one in find_drift(work_of(plan), node, found)]
    assert drifted == ([] if finding == "" else [("manager-lacks-routes", f"{path}: {finding}")])


@BOTH
def test_somebody_elses_is_kept_and_put_back(manager: Manager) -> None:
    path, plan = HOOK_PATHS[manager], cluster(manager)
    kept = managed_file_of(path).kept_as
    found = a_host(plan, manager, {path: SOMEBODYS})
    planned = Persist(plan).plan_host(plan.nodes["worker-0"], found)
    assert steps(planned.changes) == [KeepCopy(path, kept), WriteFile(path, 0o755, HOOKS[manager])]
    assert steps(plan_persist_removal(found).changes) == []
    changed = a_host(plan, manager, {path: ours(manager), kept: SOMEBODYS})
    assert steps(plan_persist_removal(changed).changes) == [PutBack(kept, path)]


@BOTH
def test_it_goes_with_the_setting_and_with_everything(manager: Manager) -> None:
    path = HOOK_PATHS[manager]
    (other,) = HOOK_PATHS.keys() - {manager}
    for setting, more in ((None, {}), (other, {HOOK_PATHS[other]: ours(other)})):
        plan = cluster(setting)
        node = plan.nodes["worker-0"]
        found = a_host(plan, other, {path: ours(manager)} | more)
        assert steps(Persist(plan).plan_host(node, found).changes) == [RemoveFile(path)]
        assert "manager-lacks-routes" in {one.code for one in find_drift(work_of(plan), node, found)}
    layers = [change.layer for change in Deprovisioning(plan).plan_host(node, found).changes]
    # While one is there, an event may bring routes back, which the unit takes along as it stops.
    assert layers.count("persist") == 2
    assert layers == sorted(layers, key=["routes", "persist", "routes_service", "forwarding"].index)


@BOTH
@pytest.mark.parametrize("by", [None, *MANAGERS])
def test_a_device_of_another_manager_is_refused(manager: Manager, by: Manager | None) -> None:
    plan = cluster(manager)
    node = plan.nodes["worker-0"]
    found = a_host(plan, by)
    who = "no network manager does" if by is None else f"{by} does"
    refused = (
        f"persist: {MANAGERS[manager].setting}: {manager} does not set up eth0, {who}; "
        "write persist: unit in the inventory"
    )
    conflicts = () if by == manager else (refused,)
    assert Persist(plan).plan_host(node, found).conflicts == conflicts
    assert work_of(plan).plan_host(node, found).conflicts == conflicts


@BOTH
def test_without_routes_there_is_no_hook(manager: Manager) -> None:
    plan = cluster(manager, workers=1)
    assert Persist(plan).plan_host(plan.nodes["worker-0"], a_host(plan, None)).changes == ()


# What they run


def run(manager: Manager, folder: Path, *arguments: str, status: int = 0, booted: bool = True) -> list[str]:
    """Run a hook as its manager does, with a `systemctl` that writes down what it is asked."""
    log = folder / "log"
    (folder / "systemctl").write_text(f'#!/bin/sh\necho "$*" >>{log}\nexit {status}\n')
    (folder / "systemctl").chmod(0o755)
    hook = folder / "hook"
    (folder / "run").mkdir()
    where = folder / ("run" if booted else "none")
    hook.write_text(HOOKS[manager].replace("/run/systemd/system", str(where)))
    hook.chmod(0o755)
    done = subprocess.run(
        [hook, *arguments],
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize(
    ("event", "called"),
    [
        *((event, True) for event in ("up", "dhcp4-change", "dhcp6-change", "reapply")),
        *((event, False) for event in ("down", "pre-up", "connectivity-change", "hostname", "vpn-up", "")),
    ],
)
def test_events_of_network_manager(tmp_path: Path, event: str, called: bool) -> None:
    assert run("NetworkManager", tmp_path, "eth0", event) == ([CALL] if called else [])


@pytest.mark.parametrize(("manager", "arguments"), [("NetworkManager", ("eth0", "up")), ("ifupdown", ())])
@pytest.mark.parametrize("booted", [True, False])
def test_nothing_that_systemd_says_is_an_error(
    tmp_path: Path,
    manager: Manager,
    arguments: tuple[str, ...],
    booted: bool,
) -> None:
    assert run(manager, tmp_path, *arguments, status=1, booted=booted) == ([CALL] if booted else [])


@BOTH
def test_shellcheck_has_no_complaint(manager: Manager) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "-"], input=HOOKS[manager], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_names_that_run_parts_takes() -> None:
    name = HOOK_PATHS["ifupdown"].rpartition("/")[2]
    assert name.replace("-", "").replace("_", "").isalnum()
