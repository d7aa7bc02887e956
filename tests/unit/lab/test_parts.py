import json
from pathlib import Path

import pytest

from lab import paths
from lab.cloud.paths import CloudPaths
from lab.layout import Layout
from lab.parts import parts_of
from lab.paths import LabPaths
from lab.state import write_layout

ONLY_CONTAINERS = Layout(controllers=0, workers=0, node_network="10.0.2.0/24", containers=True)


@pytest.fixture(autouse=True)
def _no_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)


def _lab(layout: Layout, containers: list[str] | None = None, *, cloud: bool = False) -> None:
    lab = LabPaths("two")
    for host in layout.hosts:
        lab.host(host.name).dir.mkdir(parents=True)
    lab.root.mkdir(exist_ok=True)
    write_layout(lab, layout)
    if containers is not None:
        lab.containers.parent.mkdir()
        lab.containers.write_text(json.dumps(containers))
    if cloud:
        CloudPaths(lab).root.mkdir()
        CloudPaths(lab).state.touch()


def _shares(names: list[str] | None) -> dict[str, list[str] | None]:
    return {type(part).__name__: own for part, own in parts_of("two").shares(names)}


@pytest.mark.parametrize(
    ("layout", "containers", "cloud", "expected"),
    [
        (Layout(), None, False, ["HostsPart"]),
        (Layout(), None, True, ["HostsPart", "CloudPart"]),
        (Layout(), ["worker-3"], False, ["HostsPart", "LxdPart"]),
        (ONLY_CONTAINERS, ["worker-3"], False, ["LxdPart"]),
        # Interrupted before it had a container.
        (ONLY_CONTAINERS, None, False, ["HostsPart"]),
    ],
)
def test_all_is_every_part_that_the_lab_has(
    layout: Layout, containers: list[str] | None, cloud: bool, expected: list[str]
) -> None:
    _lab(layout, containers, cloud=cloud)
    assert _shares(None) == dict.fromkeys(expected)


def test_a_lab_that_is_not_there_is_one_of_hosts() -> None:
    assert _shares(None) == {"HostsPart": None}


@pytest.mark.parametrize(
    ("layout", "names", "expected"),
    [
        (
            Layout(),
            ["lxd", "worker-0", "worker-3", "cloud"],
            {"HostsPart": ["worker-0"], "CloudPart": ["cloud"], "LxdPart": ["lxd", "worker-3"]},
        ),
        # An unknown name goes to the part that can say which names there are.
        (Layout(), ["worker-9"], {"HostsPart": ["worker-9"]}),
        (ONLY_CONTAINERS, ["worker-9"], {"LxdPart": ["worker-9"]}),
    ],
)
def test_each_name_belongs_to_one_part(layout: Layout, names: list[str], expected: dict[str, list[str]]) -> None:
    _lab(layout, ["worker-3"])
    assert _shares(names) == expected
