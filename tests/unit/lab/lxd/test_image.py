import pytest

from lab.lxd import image


def test_another_content_has_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.image_folder()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert image.image_folder() != before
