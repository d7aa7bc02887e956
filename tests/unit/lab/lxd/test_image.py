import pytest

from lab.lxd import image

OWN = "http://deb.example.org/debian/|bookworm|main"


@pytest.mark.parametrize(
    ("listed", "mirror"),
    [
        ("", image.MIRROR),
        (OWN, "http://deb.example.org/debian"),
        (f"http://other.example.org/|bookworm-updates|main\n{OWN}", "http://deb.example.org/debian"),
        ("http://new.example.org/debian/|trixie|main", image.MIRROR),
        ("http://deb.example.org/debian/|bookworm|contrib", image.MIRROR),
        ("file:/media/debian/|bookworm|main", image.MIRROR),
        ("broken\n", image.MIRROR),
    ],
)
def test_packages_come_from_the_computers_own_source_of_the_release(listed: str, mirror: str) -> None:
    assert image.pick_mirror(listed) == mirror


def test_another_content_has_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.image_folder()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert image.image_folder() != before
