from pathlib import Path

import pytest

from lab import debootstrap
from lab.errors import LabError

OWN = "http://deb.example.org/debian/|bookworm|main"


@pytest.mark.parametrize(
    ("listed", "release", "mirror"),
    [
        ("", "bookworm", debootstrap.MIRROR),
        (OWN, "bookworm", "http://deb.example.org/debian"),
        (f"http://other.example.org/|bookworm-updates|main\n{OWN}", "bookworm", "http://deb.example.org/debian"),
        (f"http://new.example.org/|trixie|main\n{OWN}", "bookworm", "http://deb.example.org/debian"),
        (OWN, "trixie", "http://deb.example.org/debian"),
        ("http://deb.example.org/debian/|bookworm|contrib", "bookworm", debootstrap.MIRROR),
        ("http://deb.example.org/ubuntu/|noble|main", "bookworm", debootstrap.MIRROR),
        ("file:/media/debian/|bookworm|main", "bookworm", debootstrap.MIRROR),
        ("broken\n", "bookworm", debootstrap.MIRROR),
    ],
)
def test_packages_come_from_the_computers_own_mirror_of_debian(listed: str, release: str, mirror: str) -> None:
    assert debootstrap.pick_mirror(listed, release) == mirror


def test_without_debootstrap_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(LabError, match="cannot make a root: debootstrap not found: install it") as caught:
        debootstrap.install(tmp_path / "root", "trixie", [], "a root", lock=-1)
    assert "\n" not in str(caught.value)
