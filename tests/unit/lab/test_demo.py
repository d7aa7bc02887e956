"""The two first runs, one after the other in either order."""

import json
from pathlib import Path

import pytest

from lab import paths
from lab.demo import make_room
from lab.layout import Layout
from lab.lxd.paths import LxdPaths
from lab.machines import Lab
from lab.state import write_layout

# A lab's layout, and the names of its containers.
Found = tuple[Layout | None, list[str]]

ONLY_CONTAINERS = Layout(controllers=0, workers=0, node_network="10.0.2.0/24", containers=True)
NO_LAB: Found = (None, [])
HOSTS: Found = (Layout(), [])
CONTAINERS: Found = (ONLY_CONTAINERS, ["worker-0"])
INTERRUPTED: Found = (ONLY_CONTAINERS, [])
BOTH: Found = (Layout(), ["worker-3"])


@pytest.fixture
def taken_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the labs that were, of those in a folder of this test alone."""
    monkeypatch.setattr(paths, "STATE", tmp_path)
    names: list[str] = []
    monkeypatch.setattr(Lab, "down", lambda lab: names.append(lab.name))
    return names


@pytest.mark.parametrize(
    ("there", "containers", "goes"),
    [
        (NO_LAB, False, None),
        (NO_LAB, True, None),
        (HOSTS, False, None),
        (HOSTS, True, "removing the hosts of the lab two"),
        (CONTAINERS, False, "removing the containers of the lab two"),
        (CONTAINERS, True, None),
        (INTERRUPTED, False, "removing the containers of the lab two"),
        (INTERRUPTED, True, None),
        (BOTH, False, None),
        (BOTH, True, None),
    ],
)
def test_one_kind_makes_room_for_the_other(
    there: Found,
    containers: bool,
    goes: str | None,
    taken_down: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lab = Lab("two")
    layout, names = there
    if layout is not None:
        LxdPaths(lab.paths).root.mkdir(parents=True)
        write_layout(lab.paths, layout)
    if names:
        lab.paths.containers.write_text(json.dumps(names))

    make_room(lab, containers=containers)

    assert taken_down == ([] if goes is None else ["two"])
    printed = capsys.readouterr().out
    assert printed == "" if goes is None else printed.startswith(f"lab: {goes}: ")
