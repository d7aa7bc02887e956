import json
from pathlib import Path

import pytest

from lab import cli, paths
from lab.arguments import parse
from lab.defaults import INSIDE
from lab.layout import Layout
from lab.parts import parts_of
from lab.paths import LabPaths
from lab.state import write_layout


@pytest.fixture(autouse=True)
def _no_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)
    monkeypatch.delenv(INSIDE, raising=False)


def _lab(layout: Layout, containers: list[str]) -> None:
    lab = LabPaths("two")
    lab.containers.parent.mkdir(parents=True)
    lab.containers.write_text(json.dumps(containers))
    write_layout(lab, layout)


ONLY_CONTAINERS = Layout(controllers=0, workers=0, node_network="10.0.2.0/24", containers=True)


@pytest.mark.parametrize(("words", "meant"), [(["up"], False), (["up", "--lxd"], True), (["up", "--cloud"], False)])
def test_a_new_lab_has_containers_if_asked_for(words: list[str], meant: bool) -> None:
    assert cli.wants_containers(parse(["--name", "two", *words]), parts_of("two")) is meant


@pytest.mark.parametrize(("layout", "meant"), [(ONLY_CONTAINERS, True), (Layout(workers=3), False)])
def test_one_that_is_there_goes_on_with_what_it_has(layout: Layout, meant: bool) -> None:
    _lab(layout, ["worker-3"])
    assert cli.wants_containers(parse(["--name", "two", "up"]), parts_of("two")) is meant


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--lxd", "--cloud"],
        ["up", "--lxd", "--ipv6"],
        ["demo", "--lxd", "--ipv6"],
        ["up", "--lxd", "--no-pods"],
        ["up", "--lxd", "--controllers", "0", "--workers", "0"],
        ["up", "--lxd", "--workers", "900"],
        ["break", "lxd", "daemon-stopped"],
        ["repair", "lxd"],
    ],
)
def test_wrong_usage_is_one_line_and_64(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is done that would need the lab's lock.
    monkeypatch.setattr("lab.lock.STATE", Path("/nowhere"))
    assert cli.main(["--name", "two", *words]) == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lab: ")
    assert captured.err.count("\n") == 1


def test_faults_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["break", "--list"]) == 0
    assert "lxd daemon-stopped" in capsys.readouterr().out
