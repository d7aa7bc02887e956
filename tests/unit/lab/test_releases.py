import stat
from pathlib import Path
from threading import Barrier

import pytest

from lab import debootstrap, releases


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The releases that have been installed; each is empty, as if for a user whose umask lets nobody in."""
    names: list[str] = []

    def install(tree: Path, release: str, *_: object, **__: object) -> None:
        names.append(release)
        for name in ("var/cache/apt/archives", "var/lib/apt/lists", "etc"):
            (tree / name).mkdir(parents=True)
        tree.chmod(0o700)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("lab.debootstrap.install", install)
    return names


def test_each_is_made_once_and_hosts_users_may_enter_it(installed: list[str]) -> None:
    said: list[str] = []
    first = releases.make_roots(["trixie", "bullseye"], said.append)
    assert releases.make_roots(["bullseye", "trixie", "bookworm"], said.append).items() > first.items()
    assert sorted(installed) == ["bookworm", "bullseye", "trixie"]
    assert [sum(name in line for line in said) for name in installed] == [1, 1, 1]
    for release, root in first.items():
        assert release in str(root)
        assert stat.S_IMODE(root.stat().st_mode) == 0o755
        assert [path.name for path in sorted(root.rglob("*"))] == ["etc", "var", "cache", "lib", "apt"]


def test_several_are_made_side_by_side(installed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    both = Barrier(2, timeout=30)
    made = debootstrap.install

    def install(tree: Path, release: str, packages: tuple[str, ...], what: str, *, lock: int) -> None:
        both.wait()
        made(tree, release, packages, what, lock=lock)

    monkeypatch.setattr("lab.debootstrap.install", install)
    releases.make_roots(["trixie", "bullseye"], lambda _: None)
    assert sorted(installed) == ["bullseye", "trixie"]


def test_none_is_made_where_none_is_asked_for(installed: list[str]) -> None:
    assert releases.make_roots([], print) == {}
    assert installed == []


def test_another_release_or_computer_has_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    before = releases.root_folder("trixie")
    assert releases.root_folder("bullseye") != before
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert releases.root_folder("trixie") != before


def test_a_link_that_leads_nowhere_any_more_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "bases/trixie"
    for name in ("one", "two"):
        releases.link_root(tmp_path / name, link)
        assert link.readlink() == tmp_path / name
