from pathlib import Path

import pytest

from lab import paths as lab_paths
from lab.cloud.paths import CloudPaths, behind, operator_environment, url
from lab.paths import LabPaths

OWN = {"PATH": "/project/bin:/usr/bin:/bin", "OS_PASSWORD": "of another cloud", "OS_CLOUD": "work", "HOME": "/root"}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabPaths:
    monkeypatch.setattr(lab_paths, "STATE", tmp_path)
    made = LabPaths("lab")
    made.operator.mkdir(parents=True)
    return made


def test_without_a_cloud_the_environment_stays(lab: LabPaths) -> None:
    assert operator_environment(lab, OWN) == OWN


def test_with_a_cloud_the_callers_own_clouds_are_hidden(lab: LabPaths) -> None:
    paths = CloudPaths(lab)
    paths.clouds_file.touch()
    assert operator_environment(lab, OWN) == {
        "PATH": f"/project/bin:{paths.programs}:/usr/bin:/bin",
        "OS_CLIENT_CONFIG_FILE": str(paths.clouds_file),
        "OS_CLOUD": "kubernetes",
        "HOME": "/root",
    }


def test_everything_goes_with_the_lab(lab: LabPaths) -> None:
    paths = CloudPaths(lab)
    for path in (paths.root, paths.state, paths.control, paths.clouds_file, paths.programs, paths.log("neutron")):
        assert path.is_relative_to(lab.root)
    assert paths.cgroup.startswith(f"{lab.cgroup}/")


def test_a_socket_of_the_longest_name_fits() -> None:
    assert len(str(CloudPaths(LabPaths("x" * 31)).root / "mariadb.sock")) < 108


def test_urls() -> None:
    assert url(9696) == "http://127.0.0.1:9696"
    assert url(5000, direct=True, path="/v3") == f"http://127.0.0.1:{behind(5000)}/v3"
