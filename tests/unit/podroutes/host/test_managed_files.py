"""The table of the files that are put on hosts, and that the planners do as it says."""

import pytest

from podroutes.drift.classes import DRIFT_CLASSES
from podroutes.host.changes import NetworkdFile, WriteFile
from podroutes.host.managed_files import (
    BEFORE_PATH,
    DROP_IN_PATTERN,
    FILE_PATHS,
    MANAGED_FILES,
    REPLACED_UNIT_PATH,
    SCRIPT_PATH,
    UNIT_PATH,
    is_drop_in,
    managed_file_of,
    temporary_path,
)
from tests.unit.podroutes.builders import dual_stack_cluster, link, state
from tests.unit.podroutes.healthy import work_of

NETWORK = "/etc/systemd/network/eth1.network"
DROP_IN = f"{NETWORK}.d/90-kubernetes-pod-routes.conf"


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        (SCRIPT_PATH, SCRIPT_PATH),
        (REPLACED_UNIT_PATH, UNIT_PATH),
        (temporary_path(BEFORE_PATH), BEFORE_PATH),
        (temporary_path(REPLACED_UNIT_PATH), UNIT_PATH),
        (DROP_IN, DROP_IN_PATTERN),
        (temporary_path(DROP_IN), DROP_IN_PATTERN),
    ],
)
def test_the_entry_of_each_path_on_a_host(path: str, entry: str) -> None:
    assert managed_file_of(path).path == entry


@pytest.mark.parametrize("path", ["/etc/passwd", f"{UNIT_PATH}.bak", f"x{UNIT_PATH}", f"{UNIT_PATH}\n"])
def test_a_path_that_is_not_ours(path: str) -> None:
    with pytest.raises(LookupError, match=r"^.*"):
        managed_file_of(path)


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        (DROP_IN, True),
        ("/run/systemd/network/eth1.network.d/90-kubernetes-pod-routes.conf", False),
        ("/etc/systemd/network/a/b.network.d/90-kubernetes-pod-routes.conf", False),
        (f"{NETWORK}.d/90-kubernetes-pod-routes_conf", False),
        (NETWORK, False),
    ],
)
def test_which_drop_ins_are_at_our_place(path: str, ours: bool) -> None:
    assert is_drop_in(path) == ours


def test_no_path_is_there_twice_and_all_codes_are_drift_classes() -> None:
    assert len(set(FILE_PATHS)) == len(FILE_PATHS)
    assert {code for file in MANAGED_FILES for code in (file.missing, file.edited)} - {""} <= DRIFT_CLASSES.keys()


def test_the_planners_write_files_as_the_table_says() -> None:
    plan = dual_stack_cluster()
    node = plan.nodes["worker-0"]
    bare = state(link("eth0", "10.240.0.20/24", "fd00:240::20/64"))
    written = [
        (change, step)
        for change in work_of(plan).plan_host(node, bare).changes
        for step in change.steps
        if isinstance(step, WriteFile | NetworkdFile)
    ]
    assert len(written) == 5
    for change, step in written:
        entry = managed_file_of(step.path)
        assert (change.layer, change.drift) == (entry.layer, entry.missing)
        assert isinstance(step, NetworkdFile) or step.mode == entry.mode
