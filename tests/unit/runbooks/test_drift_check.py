"""The command line of drift_check.py: what ends before any host is touched."""

from pathlib import Path

import pytest

from runbooks.drift_check import main

HOSTS = """\
worker-0: {hostname: 10.240.0.20, groups: [workers], data: {pod_index: 0}}
worker-1: {hostname: 10.240.0.21, groups: [workers], data: {pod_index: %s}}
"""
DEFAULTS = """\
platform: linux_exec
username: ubuntu
data: {cluster_cidr: 10.200.0.0/16, node_cidr_mask_size: 24, node_network: 10.240.0.0/24}
"""


def inventory(folder: Path, pod_index: int = 1) -> str:
    files = {
        "hosts.yaml": HOSTS % pod_index,
        "groups.yaml": "workers: {}\n",
        "defaults.yaml": DEFAULTS,
        "config.yaml": "logging: {enabled: false}\nrunner: {plugin: interruptible_threads}\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return str(folder / "config.yaml")


@pytest.fixture(autouse=True)
def _lock_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POD_ROUTES_LOCK_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--log"], "--log needs --history FILE"),
        (["--log", "--history", "none.db"], "there is no such history"),
        (["--explain", "route-mising"], "there is no code 'route-mising'; did you mean route-missing?"),
        (["--limit", "nobody"], "--limit nobody matches no host and no group"),
        (["--exit-style", "icinga"], "invalid choice: 'icinga'"),
        (["--html", "no/page.html"], "there is no folder no"),
        (["--install-timer", "--every", "7min"], "the clock has no times that are 420 s apart"),
        (["--install-timer", "--remove-timer"], "not allowed with"),
        (["--config", "none.yaml"], "none.yaml: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--config", inventory(tmp_path), *options]) == 64
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("drift_check.py: ")
    assert words in said.err


def test_every_problem_of_an_inventory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", inventory(tmp_path, pod_index=0)]) == 64
    assert "in the inventory; nothing was touched:\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--limit", "nobody"], "POD ROUTES UNKNOWN - --limit nobody matches no host and no group"),
        (["--config", "none.yaml"], "POD ROUTES UNKNOWN - none.yaml: No such file or directory"),
    ],
)
def test_monitoring_gets_a_line_whatever_is_wrong(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--config", inventory(tmp_path), "--exit-style", "nagios", *options]) == 3
    out = capsys.readouterr().out
    assert out.startswith(words)
    assert out.count("\n") == 1
    assert "|" not in out


def test_monitoring_is_told_the_first_problem_of_an_inventory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", inventory(tmp_path, pod_index=0), "--exit-style", "nagios"]) == 3
    out = capsys.readouterr().out
    assert out.startswith("POD ROUTES UNKNOWN - ")
    assert "pod_index" in out


def test_a_code_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--explain", "route-missing"]) == 0
    assert capsys.readouterr().out.startswith("route-missing: the host has no route to a pod CIDR\n")
