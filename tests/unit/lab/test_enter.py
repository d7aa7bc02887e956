from pathlib import Path

import pytest

from lab import paths
from lab.enter import add_to_environment, operator_environment, remove_from_environment
from lab.paths import LabPaths

OWN = {
    "PATH": "/usr/bin:/bin",
    "OS_PASSWORD": "of another cloud",
    "OS_CLOUD": "work",
    "LXD_DIR": "/mine",
    "EDITOR": "ed",
}
LAB = LabPaths("two")


@pytest.fixture(autouse=True)
def _no_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)


def test_without_other_parts_the_callers_variables_stay() -> None:
    made = operator_environment(LAB, OWN)
    assert made.items() >= {key: value for key, value in OWN.items() if key != "PATH"}.items()
    assert made["PATH"].endswith(f".venv/bin:{LAB.programs}:/usr/bin:/bin")
    assert made["PODROUTES_LAB"] == "two"


def test_parts_hide_what_the_caller_has_and_add_their_own() -> None:
    add_to_environment(LAB, "cloud", hidden=["OS_"], variables={"OS_CLOUD": "kubernetes"})
    add_to_environment(LAB, "lxd", hidden=["LXD_", "INCUS_"], variables={"LXD_CONF": "/lab/lxc"})
    made = operator_environment(LAB, OWN)
    assert {key: value for key, value in made.items() if key.startswith(("OS_", "LXD_", "EDITOR"))} == {
        "OS_CLOUD": "kubernetes",
        "LXD_CONF": "/lab/lxc",
        "EDITOR": "ed",
    }


def test_what_a_part_changed_goes_with_it() -> None:
    before = operator_environment(LAB, OWN)
    add_to_environment(LAB, "cloud", hidden=["OS_"], variables={"OS_CLOUD": "kubernetes"})
    for _ in range(2):
        remove_from_environment(LAB, "cloud")
    assert operator_environment(LAB, OWN) == before
