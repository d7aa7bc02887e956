from pathlib import Path

import pytest

from lab import subids


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    found = (tmp_path / "subuid", tmp_path / "subgid")
    monkeypatch.setattr(subids, "_FILES", found)
    monkeypatch.setattr(subids, "_RECORD", tmp_path / "record.json")
    return found


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("", True),
        ("ubuntu:100000:65536\n", True),
        ("rooter:1:2\n", True),
        ("ubuntu:1:2\nroot:100000:65536\n", False),
        ("0:100000:65536\n", False),
    ],
)
def test_whether_root_has_ids(text: str, lacks: bool) -> None:
    assert subids.lacks_root(text) is lacks


def test_what_root_has_is_left_alone(files: tuple[Path, Path]) -> None:
    for path in files:
        path.write_text("root:100000:65536\n")
    subids.ensure_subids()
    subids.restore_subids()
    assert [path.read_text() for path in files] == ["root:100000:65536\n"] * 2


def test_what_was_added_is_taken_back_and_nothing_else(files: tuple[Path, Path]) -> None:
    files[0].write_text("ubuntu:1:2\n")
    subids.ensure_subids()
    assert files[0].read_text() == f"ubuntu:1:2\n{subids.ENTRY}"
    assert files[1].read_text() == subids.ENTRY
    with files[0].open("a") as file:
        file.write("later:3:4\n")
    # A second lab finds what it needs, and the first one's note stays.
    subids.ensure_subids()
    subids.restore_subids()
    assert files[0].read_text() == "ubuntu:1:2\nlater:3:4\n"
    assert not files[1].exists()
    subids.restore_subids()
