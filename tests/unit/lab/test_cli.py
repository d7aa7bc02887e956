import re
from pathlib import Path

import pytest

from lab import cli, paths
from lab.arguments import parse
from lab.defaults import INSIDE
from lab.errors import LabError
from lab.layout import Layout
from lab.state import write_layout


@pytest.fixture(autouse=True)
def _no_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)
    monkeypatch.delenv(INSIDE, raising=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["up"], {"subcommand": "up", "name": "podroutes"}),
        (["--name", "two", "up"], {"name": "two"}),
        (["up", "--name", "two"], {"name": "two"}),
        (["--name", "one", "up", "--name", "two"], {"name": "two"}),
        (["up", "--workers", "5", "--ipv6", "--no-pods"], {"workers": 5, "ipv6": True, "pods": False}),
        (["up", "--pods"], {"pods": True}),
        (["exec", "--", "ls", "-l"], {"host": None, "command": ["ls", "-l"]}),
        (["exec", "worker-0", "--", "ip", "route"], {"host": "worker-0", "command": ["ip", "route"]}),
        (["exec", "worker-0", "--", "sh", "--", "--name", "x"], {"command": ["sh", "--", "--name", "x"]}),
        (["exec", "worker-0", "--name", "two", "--", "true"], {"host": "worker-0", "name": "two"}),
        (["reboot", "worker-0", "worker-1", "--fresh"], {"hosts": ["worker-0", "worker-1"], "fresh": True}),
        (["break", "worker-0", "drop-route", "10.200.1.0/24"], {"words": ["worker-0", "drop-route", "10.200.1.0/24"]}),
        (["inventory", "out", "--workers", "9"], {"folder": Path("out"), "workers": 9}),
        (["up", "--release", "bullseye,trixie", "--release", "bookworm"], {"release": ["bullseye,trixie", "bookworm"]}),
        (["demo", "--release", "trixie"], {"release": ["trixie"]}),
    ],
)
def test_reading_the_command_line(words: list[str], expected: dict[str, object]) -> None:
    options = vars(parse(words))
    assert {key: options[key] for key in expected} == expected


@pytest.mark.parametrize("key", ["controllers", "workers", "node_network", "ipv6", "pods", "release"])
def test_what_is_not_given_is_not_decided(key: str) -> None:
    assert not hasattr(parse(["up"]), key)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["sideways"],
        ["up", "--workers", "many"],
        ["up", "--", "ls"],
        ["up", "worker-0"],
        ["--name", "Bad Name", "up"],
        ["exec"],
        ["exec", "worker-0"],
        ["exec", "worker-0", "--"],
        ["exec", "worker-0", "ls"],
        ["exec", "worker-0", "--", "true"],
        ["exec", "--", "true"],
        ["shell"],
        ["reboot"],
        ["reboot", "worker-0", "--all"],
        ["repair"],
        ["break", "worker-0"],
        ["inventory"],
        ["inventory", "x", "--workers", "1000"],
        ["up", "--release", "bullseye,buster"],
        ["up", "--release"],
        ["up", "--lxd", "--release", "trixie"],
        ["inventory", "x", "--release", "trixie"],
    ],
)
def test_wrong_usage_is_one_line_and_64(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lab: ")
    assert captured.err.count("\n") == 1


def test_in_a_labs_own_shell_that_lab_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INSIDE, "two")
    assert parse(["status"]).name == "two"
    assert parse(["--name", "three", "status"]).name == "three"


def test_status_without_a_lab(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().out == "there is no lab 'podroutes': start one with `python -m lab up`\n"


@pytest.mark.parametrize(
    ("release", "shown"),
    [
        ("", ["HOST  ADDRESS  STATE  POD  PID", "controller-0  10.240.0.10  stopped  -  -"]),
        ("trixie", ["HOST  ADDRESS  STATE  POD  PID  RELEASE", "controller-0  10.240.0.10  stopped  -  -  trixie"]),
    ],
)
def test_status_shows_releases_where_there_are_any(
    release: str, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    two = paths.LabPaths("two")
    two.root.mkdir()
    write_layout(two, Layout(controllers=1, workers=0, release=release))
    assert cli.main(["--name", "two", "status"]) == 1
    assert [re.sub("  +", "  ", line) for line in capsys.readouterr().out.splitlines()] == shown


def test_interrupting_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "up", interrupted)
    assert cli.main(["up"]) == 130
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (PermissionError(13, "Permission denied", "/run/x"), 64, "lab: /run/x: permission denied; the lab needs root"),
        (OSError(28, "No space left on device", "/run/x"), 1, "lab: /run/x: No space left on device"),
        (OSError(28, "No space left on device"), 1, "lab: No space left on device"),
    ],
)
def test_what_the_kernel_refuses_is_no_traceback(
    error: OSError, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> int:
        raise error

    monkeypatch.setitem(cli.COMMANDS, "status", refused)
    assert cli.main(["status"]) == status
    captured = capsys.readouterr()
    assert captured.err.startswith(said)
    assert captured.err.count("\n") == 1


def test_list_of_faults_says_which_are_repaired(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["break", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "frozen" in {line.split()[0] for line in lines if line.endswith("[repair]")}
    assert "drop-route" in {line.split()[0] for line in lines if line != "" and not line.endswith("[repair]")}


def test_inventory_without_a_running_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "inventory"
    assert cli.main(["inventory", str(folder), "--controllers", "1", "--workers", "2"]) == 0
    assert capsys.readouterr().out.split() == [
        str(folder / name) for name in ("hosts.yaml", "groups.yaml", "defaults.yaml", "config.yaml")
    ]
    assert (folder / "hosts.yaml").read_text().count("hostname:") == 3


def test_unknown_option_is_named() -> None:
    with pytest.raises(LabError, match="--bogus"):
        parse(["up", "--bogus"])
