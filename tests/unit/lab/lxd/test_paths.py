import json
from pathlib import Path

import pytest

from lab import paths
from lab.lxd.paths import LxdPaths, container_names, exists, operator_environment
from lab.paths import LabPaths

LAB = LabPaths("two")


@pytest.fixture(autouse=True)
def _no_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)


def _start(names: list[str]) -> LxdPaths:
    of = LxdPaths(LAB)
    of.root.mkdir(parents=True)
    of.state.write_text(json.dumps(names))
    return of


def test_the_socket_of_the_longest_name_is_short_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", Path("/run/podroutes-lab"))
    assert len(str(LxdPaths(LabPaths("x" * 31)).socket).encode()) <= 107


def test_without_an_lxd_the_callers_own_settings_stay() -> None:
    environment = {"LXD_DIR": "/mine", "HOME": "/root"}
    assert operator_environment(LAB, environment) == environment
    assert not exists(LAB)
    assert container_names(LAB) == []


def test_with_one_it_is_the_only_one_that_is_seen() -> None:
    of = _start(["worker-0"])
    environment = {"LXD_DIR": "/mine", "LXD_REMOTE": "mine", "INCUS_CONF": "/mine", "HOME": "/root"}
    assert operator_environment(LAB, environment) == {
        "HOME": "/root",
        "LXD_DIR": str(of.folder),
        "LXD_CONF": str(of.client),
    }
    assert container_names(LAB) == ["worker-0"]


def test_groups_are_below_the_labs_own() -> None:
    of = LxdPaths(LAB)
    for group in (of.cgroup, of.starter, of.payload("worker-0")):
        assert group.startswith(f"{LAB.cgroup}/")
