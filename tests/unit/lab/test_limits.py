import json
from pathlib import Path

import pytest

from lab import limits


@pytest.fixture
def sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "sys"
    for key, value in {"fs/inotify/max_user_instances": 128, "kernel/keys/maxkeys": 1_000_000}.items():
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_text(f"{value}\n")
    monkeypatch.setattr(limits, "_SYSCTL", root)
    monkeypatch.setattr(limits, "_RECORD", tmp_path / "limits.json")
    return root


def _value(root: Path, key: str) -> int:
    return int((root / key).read_text())


def test_raises_what_is_too_low_and_puts_it_back(sysctl: Path) -> None:
    limits.raise_limits(6)
    assert _value(sysctl, "fs/inotify/max_user_instances") >= 6 * 16
    assert _value(sysctl, "kernel/keys/maxkeys") == 1_000_000
    limits.restore_limits()
    assert _value(sysctl, "fs/inotify/max_user_instances") == 128


def test_a_second_lab_does_not_forget_the_original(sysctl: Path) -> None:
    limits.raise_limits(6)
    limits.raise_limits(100)
    limits.raise_limits(6)
    assert _value(sysctl, "fs/inotify/max_user_instances") == limits.wanted_limits(100)["fs/inotify/max_user_instances"]
    limits.restore_limits()
    assert _value(sysctl, "fs/inotify/max_user_instances") == 128


def test_leaves_what_somebody_else_has_set_since(sysctl: Path) -> None:
    limits.raise_limits(6)
    (sysctl / "fs/inotify/max_user_instances").write_text("99999")
    limits.restore_limits()
    assert _value(sysctl, "fs/inotify/max_user_instances") == 99999


def test_nothing_is_recorded_where_nothing_is_raised(sysctl: Path, tmp_path: Path) -> None:
    (sysctl / "fs/inotify/max_user_instances").write_text("1000000")
    limits.raise_limits(6)
    assert not (tmp_path / "limits.json").exists()
    limits.restore_limits()


def test_remembers_before_it_changes(sysctl: Path, tmp_path: Path) -> None:
    limits.raise_limits(6)
    assert json.loads((tmp_path / "limits.json").read_text())["fs/inotify/max_user_instances"][0] == 128


@pytest.mark.parametrize(("hosts", "raised"), [(6, False), (50, True)])
def test_neighbour_tables_grow_only_for_many_hosts(hosts: int, raised: bool) -> None:
    assert ("net/ipv4/neigh/default/gc_thresh3" in limits.wanted_limits(hosts)) is raised
