from pathlib import Path

import pytest

from lab import paths as lab_paths
from lab.cloud.paths import CloudPaths, behind, url
from lab.paths import LabPaths


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabPaths:
    monkeypatch.setattr(lab_paths, "STATE", tmp_path)
    made = LabPaths("lab")
    made.operator.mkdir(parents=True)
    return made


def test_everything_goes_with_the_lab(lab: LabPaths) -> None:
    paths = CloudPaths(lab)
    for path in (paths.root, paths.state, paths.control, paths.clouds_file, paths.log("neutron")):
        assert path.is_relative_to(lab.root)
    assert paths.cgroup.startswith(f"{lab.cgroup}/")


def test_a_socket_of_the_longest_name_fits() -> None:
    assert len(str(CloudPaths(LabPaths("x" * 31)).root / "mariadb.sock")) < 108


def test_urls() -> None:
    assert url(9696) == "http://127.0.0.1:9696"
    assert url(5000, direct=True, path="/v3") == f"http://127.0.0.1:{behind(5000)}/v3"
